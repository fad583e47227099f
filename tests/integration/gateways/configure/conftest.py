from collections.abc import Iterator

import pytest
from django.test import Client

from palette_portal.vsphere.session import sessions
from tests.factories import amelia, make_gateway
from tests.integration.gateways.configure.walk import Walk
from tests.lab.fixtures import lab, lab_server, vcenter  # noqa: F401
from tests.lab.vcsim import Lab


@pytest.fixture(autouse=True)
def _no_session_left() -> Iterator[None]:
    yield
    sessions.close_all()


@pytest.fixture
def walk(db: None, lab: Lab) -> Walk:  # noqa: F811
    """Amelia, signed in, with a registered gateway that nobody has configured yet."""
    gateway, client = make_gateway(), Client()
    client.force_login(amelia())
    return Walk(client, gateway, lab)
