import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.utils import timezone

from clusters import watcher
from clusters.watcher import wanted_by_account, watch
from gateways.logins import LOGINS, accepted
from gateways.models import CloudAccount
from palette_portal.orchestration.engine import run_step
from palette_portal.orchestration.models import StepState
from tests.integration.provisioning.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def watching(stage: Stage) -> Iterator[None]:
    with watched():
        yield


@contextmanager
def watched() -> Iterator[None]:
    stop = threading.Event()

    def run() -> None:
        watch(stop)
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def wait_for(condition: Callable[[], object], stage: Stage, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, stage.describe()


def is_due(stage: Stage, word: str) -> bool:
    return stage.operation.steps.due().filter(pk=stage.machine_step(word).pk).exists()


def test_step_is_rung_when_its_task_ends(stage: Stage, watching: None) -> None:
    stage.lab.set_durations(clone_seconds=2)
    stage.start()
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.WAITING)
    assert not is_due(stage, "cloned")  # by itself it would look again much later

    wait_for(lambda: is_due(stage, "cloned"), stage)

    run_step(stage.machine_step("cloned").pk)
    assert stage.machine_step("cloned").state == StepState.DONE


def test_step_is_rung_although_the_server_is_late_with_its_changes(
    stage: Stage, watching: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "LATE_SECONDS", 0.5)
    stage.lab.set_durations(clone_seconds=2)
    stage.lab.set_delays(WaitForUpdatesEx=8)
    stage.start()
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.WAITING)

    wait_for(lambda: is_due(stage, "cloned"), stage, seconds=6)
    stage.lab.set_delays()


def test_progress_of_the_task_is_shown(stage: Stage, watching: None) -> None:
    stage.lab.set_durations(clone_seconds=3)
    stage.start()
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.WAITING)

    wait_for(lambda: 0 < (stage.machine_step("cloned").progress or 0) < 100, stage)


def test_step_is_rung_when_the_guest_gets_an_address(stage: Stage, watching: None) -> None:
    stage.start()
    stage.guests.is_watching = False
    stage.go_on_until(lambda: stage.machine_step("address").state == StepState.WAITING)
    vm = stage.vcenter.machine(stage.machine().name)

    stage.vcenter.set_options(vm, {"SET.guest.ipAddress": stage.machine().ip_address})

    wait_for(lambda: is_due(stage, "address"), stage)
    run_step(stage.machine_step("address").pk)
    assert stage.machine_step("address").state == StepState.DONE


def test_watch_goes_on_as_soon_as_the_login_is_corrected(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "clusters.watcher")
    stage.lab.set_durations(clone_seconds=2)
    stage.start()
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.WAITING)
    now = timezone.now()
    refused = {"refused_at": now, "checked_at": now, "refused_logins": LOGINS, "refusal": "Wrong password."}
    CloudAccount.objects.update(**refused)

    with watched():
        wait_for(lambda: "Wrong password." in caplog.text, stage)
        CloudAccount.objects.update(**accepted())
        wait_for(lambda: is_due(stage, "cloned"), stage, seconds=10)


def test_nothing_is_watched_when_nobody_waits(stage: Stage) -> None:
    stage.start()

    assert not wanted_by_account()
