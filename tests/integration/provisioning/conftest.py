from collections.abc import Iterator

import pytest

from palette_portal.vsphere.session import sessions
from tests.integration.provisioning.stage import Stage, make_stage
from tests.lab.api import VSphere
from tests.lab.fixtures import lab, lab_server, vcenter  # noqa: F401
from tests.lab.vcsim import Lab


@pytest.fixture(autouse=True)
def _no_session_left() -> Iterator[None]:
    yield
    sessions.close_all()


@pytest.fixture
def stage(db: None, lab: Lab, vcenter: VSphere) -> Stage:  # noqa: F811
    """A gateway's account and address pool on the lab's vCenter; nothing is provisioned yet."""
    return make_stage(lab, vcenter)
