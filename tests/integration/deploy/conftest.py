from collections.abc import Iterator

import pytest
from django.test import Client

from palette_portal.vsphere.session import sessions
from tests.integration.deploy.scene import make_walk
from tests.integration.deploy.walk import DeployWalk
from tests.lab.fixtures import lab, lab_server, vcenter  # noqa: F401
from tests.lab.vcsim import Lab


@pytest.fixture(autouse=True)
def _no_session_left() -> Iterator[None]:
    yield
    sessions.close_all()


@pytest.fixture
def walk(db: None, lab: Lab) -> DeployWalk:  # noqa: F811
    """Paolo, a project admin, signed in, with a running gateway, an account, addresses and a profile."""
    return make_walk(Client(), lab)


@pytest.fixture
def reviewed(walk: DeployWalk) -> DeployWalk:
    walk.to_review()
    return walk
