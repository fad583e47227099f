"""Several workers at once, on several database sessions."""

import threading
import time
from functools import partial

import pytest
from django.db import OperationalError, connection, transaction

from palette_portal.orchestration import engine
from palette_portal.orchestration.actions import OperationActive, cancel_operation, ring
from palette_portal.orchestration.claims import claim_step
from palette_portal.orchestration.engine import run_next_step, run_step
from palette_portal.orchestration.models import Event, Operation, OperationState, StepState
from palette_portal.orchestration.outcomes import Done, Wait
from tests.engine import step_of
from tests.integration.orchestration.acts import called, make_subject, script, spec, start
from tests.integration.orchestration.parallel import at_once, in_other_session

pytestmark = pytest.mark.django_db(transaction=True)


def test_claim_of_one_step_by_many_is_won_by_one():
    step = step_of(start(spec("a")), "a")

    claims = at_once(*[lambda: claim_step(step.pk)] * 8)

    assert len([claim for claim in claims if claim]) == 1


def test_steps_side_by_side_are_each_done_once_and_the_last_one_goes_on():
    """Both see the other one unfinished unless they finish one after the other."""
    for _ in range(5):
        operation = start(spec("a"), spec("b"), spec("c"), spec("z", "a", "b", "c"))

        at_once(*[run_next_step] * 3)

        assert step_of(operation, "z").state == StepState.READY
        run_next_step()
        operation.refresh_from_db()
        assert operation.state == OperationState.SUCCEEDED
    assert sorted(called()) == sorted(["a", "b", "c", "z"] * 5)


def test_two_tabs_start_one_operation():
    subject = make_subject()

    def confirm():
        try:
            return start(spec("a"), subject=subject)
        except OperationActive:
            return None

    operations = at_once(confirm, confirm, confirm)

    assert len([operation for operation in operations if operation]) == 1
    assert Operation.objects.of(subject).count() == 1


def test_cancel_against_running_steps_leaves_nothing_active():
    for _ in range(5):
        operation = start(spec("a"), spec("b"), spec("c", "a"), spec("d", "b"))
        at_once(run_next_step, run_next_step, partial(cancel_operation, operation, by=None))

        operation.refresh_from_db()
        states = {step.state for step in operation.steps.all()}
        assert operation.state == OperationState.CANCELLED
        assert states <= {StepState.DONE, StepState.CANCELLED}
        assert not run_next_step()


def test_ring_not_yet_committed_when_the_step_looked_is_not_missed():
    """The bell rings before the claim; what it tells of can be seen only after the step looked."""
    operation = start(spec("a"))
    has_rung, has_looked = threading.Event(), threading.Event()

    def look(context):
        has_looked.set()
        return Wait(600, "Booting", external_ref="machine:1")

    def report():
        with transaction.atomic():
            ring("machine:1")
            has_rung.set()
            assert has_looked.wait(10)

    def run():
        assert has_rung.wait(10)
        run_step(step_of(operation, "a").pk)

    script(a=look)
    at_once(report, run)

    assert operation.steps.due().count() == 1


def test_result_survives_a_database_that_goes_away_for_a_moment(monkeypatch):
    cut = []
    original = engine.record_outcome

    def record_without_luck(*arguments):
        if not cut:
            cut.append(True)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                pid = cursor.fetchone()[0]
            in_other_session(lambda: terminate(pid))
        original(*arguments)

    monkeypatch.setattr(engine, "record_outcome", record_without_luck)
    monkeypatch.setattr(engine, "PAUSE_SECONDS", 0)
    script(a=Done("made"))
    operation = start(spec("a"))

    in_other_session(lambda: run_step(step_of(operation, "a").pk))

    assert step_of(operation, "a").state == StepState.DONE
    assert called() == ["a"]
    assert Event.objects.filter(reason="StepDone").count() == 1


def terminate(pid):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


def test_result_is_given_up_when_the_lease_is_over(monkeypatch, settings):
    settings.ORCHESTRATION_LEASE_SECONDS = 0.2

    def fail(*arguments):
        raise OperationalError("gone")

    monkeypatch.setattr(engine, "record_outcome", fail)
    operation = start(spec("a"))
    begun = time.monotonic()

    with pytest.raises(OperationalError):
        run_step(step_of(operation, "a").pk)

    assert time.monotonic() - begun >= 0.2
