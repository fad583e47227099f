"""pytest fixtures for a conftest: `from tests.lab.fixtures import guests, lab, lab_server, vcenter`."""

from collections.abc import Iterator

import pytest

from tests.lab.api import VSphere
from tests.lab.guests import Guests
from tests.lab.vcsim import Lab


@pytest.fixture(scope="session")
def lab_server() -> Iterator[Lab]:
    """One vCenter for all tests of a process; ask for `lab` instead."""
    with Lab() as running:
        yield running


@pytest.fixture
def lab(lab_server: Lab) -> Iterator[Lab]:
    """The shared vCenter; faults, outages, durations and the password are as before when the test ends."""
    password = lab_server.password
    yield lab_server
    lab_server.heal()
    lab_server.change_password(password)
    lab_server.set_version(lab_server.version)
    lab_server.set_durations(**lab_server.durations)


@pytest.fixture
def vcenter(lab: Lab) -> Iterator[VSphere]:
    """An administrator's session, beside the portal's; every machine made meanwhile is gone afterwards."""
    with lab.connect() as session:
        before = set(session.machine_ids())
        yield session
        lab.heal()
    lab.set_durations(power_off_seconds=0, destroy_seconds=0)
    lab.wait_for_tasks()
    with lab.connect() as session:
        session.remove([moid for moid in session.machine_ids() if moid not in before])


@pytest.fixture
def guests(lab: Lab) -> Iterator[Guests]:
    """Plays quickly what is switched on; `guests.faults.add(NAME, PATTERN)` before a power-on."""
    with Guests(lab.login()) as playing:
        yield playing
