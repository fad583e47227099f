"""Workers are killed with -9 again and again while a gateway is provisioned."""

import multiprocessing
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connections

from palette_portal.orchestration.claims import release_steps_of_the_dead
from palette_portal.orchestration.engine import run_next_step
from palette_portal.orchestration.models import OperationState
from palette_portal.vsphere.session import sessions
from tests.engine import make_waiting_steps_due
from tests.integration.provisioning.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)

LIVES_SECONDS = (0.2, 1.2)
PATIENCE_SECONDS = 120


def work_until_killed() -> None:
    while True:
        if not run_next_step():
            time.sleep(0.01)


@contextmanager
def worker() -> Iterator[None]:
    """A process of its own, with connections of its own; killed when the block ends."""
    connections.close_all()
    sessions.close_all()
    process = multiprocessing.get_context("fork").Process(target=work_until_killed)
    process.start()
    yield
    process.kill()
    process.join()
    release_steps_of_the_dead()


def test_workers_are_killed_again_and_again(stage: Stage) -> None:
    stage.lab.set_durations(clone_seconds=0.5, power_on_seconds=0.2)
    stage.start(nodes=3)
    lives, deadline = 0, time.monotonic() + PATIENCE_SECONDS

    while not stage.has_ended():
        assert time.monotonic() < deadline, stage.describe()
        with worker():
            end = time.monotonic() + random.uniform(*LIVES_SECONDS)
            while time.monotonic() < end:
                stage.guests.play()
                make_waiting_steps_due(stage.operation)
        lives += 1

    assert stage.operation.state == OperationState.SUCCEEDED
    assert lives > 1
    stage.assert_nothing_doubled_or_leaked()
    assert stage.lab.calls()["CloneVM_Task"] == 3
