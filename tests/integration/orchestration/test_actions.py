from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django_q.models import OrmQ

from palette_portal.orchestration.actions import (
    CannotRetry,
    OperationActive,
    cancel_abandoned_steps,
    cancel_operation,
    release_operation,
    retry_step_now,
    ring,
    start_operation,
    steps_still_running,
)
from palette_portal.orchestration.claims import claim_step
from palette_portal.orchestration.engine import run_step
from palette_portal.orchestration.graph import InvalidSteps
from palette_portal.orchestration.models import (
    Event,
    Operation,
    OperationKind,
    OperationState,
    Step,
    StepState,
)
from palette_portal.orchestration.outcomes import Done, Failed, Retry, Wait
from palette_portal.tenants.models import User
from tests.engine import make_waiting_steps_due, run_due_steps, run_to_end, step_of
from tests.integration.orchestration.acts import called, make_subject, make_tenant, script, spec, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def amelia():
    return User.objects.create_user(
        email="amelia@acme.example", password="x", full_name="Amelia", tenant=make_tenant()
    )


def test_operation_starts_with_its_first_steps_ready_and_rung():
    operation = start(spec("a"), spec("b", "a"))

    assert operation.state == OperationState.RUNNING
    assert [step.state for step in operation.steps.all()] == [StepState.READY, StepState.PENDING]
    assert OrmQ.objects.count() == 1


def test_operation_with_impossible_steps_leaves_nothing():
    with pytest.raises(InvalidSteps):
        start(spec("a", "b"), spec("b", "a"))

    assert not Operation.objects.exists()


def test_second_operation_on_a_subject_is_refused_with_a_reason():
    subject = make_subject(name="gateway-1")
    start(spec("a"), subject=subject)

    with pytest.raises(OperationActive, match="gateway-1"):
        start_operation(kind=OperationKind.DELETE, subject=subject, steps=[spec("x")], by=None)

    assert Operation.objects.of(subject).count() == 1


def test_next_operation_may_start_when_the_last_has_ended():
    subject = make_subject()
    run_to_end(start(spec("a"), subject=subject))

    second = start(spec("a"), subject=subject)

    assert Operation.objects.of(subject).first() == second


def test_operation_rolled_back_rings_nobody():
    subject = make_subject()
    with pytest.raises(RuntimeError), transaction.atomic():
        start(spec("a"), subject=subject)
        raise RuntimeError

    assert not OrmQ.objects.exists()
    assert not Event.objects.exists()


def test_queued_operation_shows_why_and_begins_when_released():
    subject = make_subject()
    operation = start(spec("a"), subject=subject, queued_because="The gateway is being upgraded.")
    assert (operation.state, operation.reason) == (OperationState.QUEUED, "The gateway is being upgraded.")
    assert run_due_steps() == 0
    with pytest.raises(OperationActive):
        start(spec("a"), subject=subject)

    assert release_operation(operation)
    assert not release_operation(operation)

    run_due_steps()
    operation.refresh_from_db()
    assert (operation.state, operation.reason) == (OperationState.SUCCEEDED, "")


def test_cancelled_operation_begins_no_step_any_more(amelia):
    script(a=Failed("Nope", "No.", retry=Retry.SLOWLY), b=Wait(30, "Waiting", external_ref="ref"))
    operation = start(spec("a"), spec("b"), spec("c", "a"), spec("d"))
    run_step(step_of(operation, "a").pk)
    run_step(step_of(operation, "b").pk)

    assert cancel_operation(operation, by=amelia)
    assert not cancel_operation(operation, by=amelia)

    assert operation.state == OperationState.CANCELLED
    assert {step.state for step in operation.steps.all()} == {StepState.CANCELLED}
    assert ring("ref") == 0
    assert run_due_steps() == 0
    assert "Amelia" in Event.objects.get(reason="OperationCancelled").message


def test_queued_operation_can_be_cancelled():
    operation = start(spec("a"), queued_because="Later.")

    assert cancel_operation(operation, by=None)

    assert not release_operation(operation)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Done("made"), StepState.DONE),
        (Wait(5, "later"), StepState.CANCELLED),
        (Failed("No", "no"), StepState.CANCELLED),
    ],
)
def test_step_running_while_its_operation_is_cancelled_ends_there(outcome, state):
    operation = start(spec("a"), spec("b", "a"))

    def be_cancelled(context):
        cancel_operation(operation, by=None)
        assert [step.key for step in steps_still_running(operation)] == ["a"]
        return outcome

    script(a=be_cancelled)
    run_due_steps()

    assert step_of(operation, "a").state == state
    assert step_of(operation, "b").state == StepState.CANCELLED
    assert called() == ["a"]
    assert not steps_still_running(operation)


def test_step_of_a_dead_worker_in_a_cancelled_operation_is_ended_not_repeated():
    operation = start(spec("a"))
    step = step_of(operation, "a")
    claim_step(step.pk)
    cancel_operation(operation, by=None)
    assert cancel_abandoned_steps() == 0

    Step.objects.update(lease_until=Now() - timedelta(seconds=1))

    assert not steps_still_running(operation)
    assert run_due_steps() == 0
    assert cancel_abandoned_steps() == 1
    assert step_of(operation, "a").state == StepState.CANCELLED


def test_retry_now_makes_a_step_due_at_once(amelia):
    script(a=[Failed("Nope", "No.", retry=Retry.SLOWLY), Done()])
    operation = start(spec("a"))
    run_due_steps()
    OrmQ.objects.all().delete()

    retry_step_now(step_of(operation, "a"), by=amelia)

    assert OrmQ.objects.count() == 1
    assert run_due_steps() == 1
    assert step_of(operation, "a").attempt == 2
    assert "Amelia" in Event.objects.get(reason="RetryRequested").message


def test_retry_now_of_a_step_that_is_done_says_so():
    operation = start(spec("a"))
    run_due_steps()

    with pytest.raises(CannotRetry, match="Make a"):
        retry_step_now(step_of(operation, "a"), by=None)


def test_ring_wakes_every_step_that_waits_for_the_reference():
    wait = Wait(600, "Booting", external_ref="machine:1")
    script(a=wait, b=wait, c=Wait(600, "Booting", external_ref="machine:2"))
    operation = start(spec("a"), spec("b"), spec("c"))
    run_due_steps()

    assert ring("machine:1") == 2

    assert {step.key for step in operation.steps.due()} == {"a", "b"}


def test_ring_wakes_a_step_that_failed_and_pauses():
    script(
        a=[Wait(600, "Booting", external_ref="machine:1"), Failed("Broken", "It broke.", retry=Retry.SLOWLY)]
    )
    operation = start(spec("a"))
    run_due_steps()
    make_waiting_steps_due(operation)
    run_due_steps()
    assert step_of(operation, "a").state == StepState.RETRYING

    assert ring("machine:1") == 1

    assert operation.steps.due().exists()


def test_ring_for_nobody():
    assert ring("machine:unknown") == 0


def test_ring_while_the_step_runs_is_not_missed():
    def look_and_miss(context):
        ring("machine:1")
        return Wait(600, "Booting", external_ref="machine:1")

    script(a=look_and_miss)
    operation = start(spec("a"))

    run_step(step_of(operation, "a").pk)

    assert operation.steps.due().count() == 1


def test_ring_before_the_step_began_does_not_count():
    ring("machine:1")
    script(a=Wait(600, "Booting", external_ref="machine:1"))
    operation = start(spec("a"))

    run_due_steps()

    assert operation.steps.due().count() == 0


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"state": "Ready", "due_at": None}, "step_due_at_when_due"),
        ({"state": "Running", "lease_until": None}, "step_lease_while_running"),
        ({"state": "Done", "lease_until": Now()}, "step_lease_while_running"),
        ({"progress": 101}, "step_progress_percent"),
        ({"key": "b"}, "step_key_unique_in_operation"),
    ],
)
def test_step_constraint_refuses(change, constraint):
    operation = start(spec("a"), spec("b"))

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        operation.steps.filter(key="a").update(**change)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"state": "Succeeded"}, "operation_finished_at_when_ended"),
        ({"finished_at": Now()}, "operation_finished_at_when_ended"),
    ],
)
def test_operation_constraint_refuses(change, constraint):
    operation = start(spec("a"))

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Operation.objects.filter(pk=operation.pk).update(**change)
