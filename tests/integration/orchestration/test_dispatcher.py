"""The dispatcher's turns, and its threads, without its process."""

import threading
import time
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django_q.models import OrmQ

from palette_portal.orchestration.broker import NotifyBroker
from palette_portal.orchestration.changes import DISPATCHER_CHANNEL
from palette_portal.orchestration.claims import claim_step
from palette_portal.orchestration.dispatcher import _take_lead, ring_due_steps, running_threads
from palette_portal.orchestration.housekeeping import tidy_up
from palette_portal.orchestration.listening import connect_listener
from palette_portal.orchestration.models import OperationState, Ring, Step
from palette_portal.orchestration.outcomes import Wait
from palette_portal.orchestration.worker import answer_doorbell
from tests.engine import run_due_steps, step_of
from tests.integration.orchestration.acts import script, spec, start

seconds = timedelta(seconds=1)


@pytest.fixture
def operation():
    operation = start(spec("a"))
    OrmQ.objects.all().delete()
    return operation


@pytest.mark.django_db
def test_due_step_that_rang_is_not_rung_again(operation):
    assert ring_due_steps() == 0


@pytest.mark.django_db
def test_due_step_whose_bell_was_lost_is_rung_again(operation):
    operation.steps.update(rung_at=Now() - 5 * seconds, due_at=Now() - 6 * seconds)

    assert ring_due_steps() == 1
    assert ring_due_steps() == 0


@pytest.mark.django_db
def test_due_step_is_not_rung_again_while_bells_are_queued(operation):
    start(spec("b"))
    operation.steps.update(rung_at=Now() - 5 * seconds, due_at=Now() - 6 * seconds)

    assert ring_due_steps() == 0


@pytest.mark.django_db
def test_waiting_step_is_rung_when_its_time_has_come():
    script(a=Wait(600, "later"))
    operation = start(spec("a"))
    run_due_steps()
    assert ring_due_steps() == 0

    operation.steps.update(due_at=Now())

    assert ring_due_steps() == 1


@pytest.mark.django_db
def test_step_of_a_dead_worker_is_rung_when_its_lease_has_ended(operation):
    claim_step(step_of(operation, "a").pk)
    Step.objects.update(rung_at=Now() - 20 * seconds)
    assert ring_due_steps() == 0

    Step.objects.update(lease_until=Now() - seconds)

    assert ring_due_steps() == 1


@pytest.mark.django_db
def test_step_of_a_queued_operation_is_not_rung():
    start(spec("a"), queued_because="Later.")

    assert ring_due_steps() == 0


@pytest.mark.django_db(transaction=True)
def test_one_dispatcher_leads():
    with connect_listener(DISPATCHER_CHANNEL) as one, connect_listener(DISPATCHER_CHANNEL) as other:
        assert _take_lead(one)
        assert not _take_lead(other)
        one.close()
        deadline = time.monotonic() + 5
        while not _take_lead(other):
            assert time.monotonic() < deadline


@pytest.mark.django_db(transaction=True)
def test_doorbell_is_answered_with_the_whole_chain():
    operation = start(spec("a"), spec("b", "a"), spec("c", "b"))

    answer_doorbell(str(step_of(operation, "a").pk))

    operation.refresh_from_db()
    assert operation.state == OperationState.SUCCEEDED


@pytest.mark.django_db(transaction=True)
def test_doorbell_wakes_the_broker_and_is_taken_once(monkeypatch):
    broker, other = NotifyBroker("portal"), NotifyBroker("portal")
    monkeypatch.setattr("django_q.conf.Conf.POLL", 0.01)
    assert broker.dequeue() is None
    start(spec("a"))
    monkeypatch.setattr("django_q.conf.Conf.POLL", 10)
    begun = time.monotonic()

    taken = broker.dequeue()

    assert len(taken) == 1 and time.monotonic() - begun < 5
    monkeypatch.setattr("django_q.conf.Conf.POLL", 0.01)
    assert other.dequeue() is None
    broker.close()
    other.close()


watched: list[threading.Event] = []
called = threading.Event()


def watch_and_die(stop):
    watched.append(stop)
    if len(watched) < 3:
        raise RuntimeError("the vCenter hung up")
    called.set()
    stop.wait(10)


def be_called():
    called.set()


HERE = "tests.integration.orchestration.test_dispatcher"


@pytest.mark.django_db(transaction=True)
def test_watcher_that_dies_is_started_again_and_stopped_at_the_end(settings, monkeypatch, caplog):
    monkeypatch.setattr("palette_portal.orchestration.dispatcher.THREAD_AGAIN_SECONDS", 0)
    settings.ORCHESTRATION_WATCHERS = [f"{HERE}.watch_and_die"]
    settings.ORCHESTRATION_SCHEDULES = {}
    watched.clear()
    called.clear()

    with running_threads():
        assert called.wait(5)

    assert watched[-1].is_set()
    assert "hung up" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_schedule_is_called_again_and_again(settings):
    settings.ORCHESTRATION_WATCHERS = []
    settings.ORCHESTRATION_SCHEDULES = {f"{HERE}.be_called": 0.01}

    with running_threads():
        for _ in range(2):
            called.clear()
            assert called.wait(5)


@pytest.mark.django_db
def test_tidy_up_forgets_old_rings():
    Ring.objects.create(external_ref="old", transaction="1", rung_at=Now() - timedelta(hours=2))
    Ring.objects.create(external_ref="new", transaction="1")

    tidy_up()

    assert [ring.external_ref for ring in Ring.objects.all()] == ["new"]
