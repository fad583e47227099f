from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from palette_portal.vsphere.session import sessions
from tests.integration.provisioning.stage import Stage, make_stage
from tests.lab.api import VSphere
from tests.lab.fixtures import lab, lab_server, vcenter  # noqa: F401
from tests.lab.vcsim import Lab


@pytest.fixture
def stage(db: None, lab: Lab, vcenter: VSphere) -> Iterator[Stage]:  # noqa: F811
    """A gateway's account and address pool on the lab's vCenter; nothing is provisioned yet."""
    lab.set_durations(clone_seconds=0.05, power_on_seconds=0.02)
    lab.forget_calls()
    with ExitStack() as closing:
        yield make_stage(lab, vcenter, closing)
        sessions.close_all()
