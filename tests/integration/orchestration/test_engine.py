"""One step at a time: what each outcome leaves in the tables."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from palette_portal.orchestration import claims
from palette_portal.orchestration.actions import record_event
from palette_portal.orchestration.engine import run_next_step, run_step
from palette_portal.orchestration.models import Event, Operation, OperationState, Severity, Step, StepState
from palette_portal.orchestration.outcomes import Done, Failed, Note, Retry, Wait
from tests.engine import run_due_steps, run_to_end, step_of
from tests.integration.orchestration.acts import called, calls, make_subject, script, spec, start

pytestmark = pytest.mark.django_db


def seconds_until_due(step: Step) -> float:
    row = Step.objects.filter(pk=step.pk).annotate(now=Now()).get()
    return (row.due_at - row.now).total_seconds()


def test_operation_runs_its_steps_in_order_and_succeeds():
    operation = start(spec("a"), spec("b", "a"), spec("c", "b"))

    assert run_due_steps() == 3

    operation.refresh_from_db()
    assert called() == ["a", "b", "c"]
    assert operation.state == OperationState.SUCCEEDED
    assert operation.finished_at >= operation.started_at


def test_operation_fans_out_and_in():
    operation = start(spec("a"), spec("b1", "a"), spec("b2", "a"), spec("c", "b1", "b2"))

    run_step(step_of(operation, "a").pk)
    assert {step.key for step in operation.steps.due()} == {"b1", "b2"}
    run_step(step_of(operation, "b1").pk)
    assert step_of(operation, "c").state == StepState.PENDING
    run_step(step_of(operation, "b2").pk)

    assert step_of(operation, "c").state == StepState.READY


def test_operation_without_steps_succeeds_at_once():
    operation = start()

    operation.refresh_from_db()
    assert operation.state == OperationState.SUCCEEDED


def test_step_not_due_is_not_run():
    operation = start(spec("a"), spec("b", "a"))

    assert run_step(step_of(operation, "b").pk) is None
    assert called() == []


def test_step_gets_its_context():
    subject = make_subject(name="gateway-7")
    operation = start(spec("a", arguments={"nodes": 3}), subject=subject)

    run_due_steps()

    context = calls[0]
    assert (context.key, context.arguments, context.attempt) == ("a", {"nodes": 3}, 1)
    assert context.subject == subject
    assert context.operation_id == operation.pk
    assert context.operation_kind == "provision"


def test_step_done_writes_app_rows_notes_and_message():
    written = []
    note = Note(Severity.INFO, "MachineCloned", "master-1 was cloned.", "machine", "master-1")
    script(a=Done("Cloned", notes=(note,), write=lambda: written.append(1)))
    operation = start(spec("a"))

    run_due_steps()

    step = step_of(operation, "a")
    assert (step.state, step.message, step.lease_until, step.owner) == (StepState.DONE, "Cloned", None, "")
    assert step.finished_at is not None and step.first_started_at is not None
    assert written == [1]
    event = Event.objects.get(reason="MachineCloned")
    assert (event.object_name, event.step, event.operation) == ("master-1", step, operation)


def test_step_waits_without_counting_attempts():
    script(a=[Wait(30, "Cloning", reason="CloneRunning", external_ref="vsphere-task:1", progress=40), Done()])
    operation = start(spec("a"))

    run_due_steps()

    step = step_of(operation, "a")
    assert (step.state, step.message, step.reason, step.progress) == (
        StepState.WAITING,
        "Cloning",
        "CloneRunning",
        40,
    )
    assert 28 < seconds_until_due(step) <= 30
    run_to_end(operation)
    assert [(context.attempt, context.external_ref) for context in calls] == [(1, ""), (1, "vsphere-task:1")]


def test_step_wait_without_reference_keeps_the_stored_one():
    def start_clone(context):
        context.keep_reference("vsphere-task:2")
        return Wait(30, "Cloning")

    script(a=start_clone)
    operation = start(spec("a"))

    run_due_steps()

    assert step_of(operation, "a").external_ref == "vsphere-task:2"


def test_step_failed_shows_reason_hint_attempt_and_time_of_the_next():
    failed = Failed("TemplateMissing", "No template.", hint="Upload it.", retry=Retry.SLOWLY)
    script(a=[failed, failed, Done()])
    operation = start(spec("a"))

    run_due_steps()

    step = step_of(operation, "a")
    assert (step.state, step.reason, step.message, step.hint) == (
        StepState.RETRYING,
        "TemplateMissing",
        "No template.",
        "Upload it.",
    )
    assert (step.attempt, step.next_attempt, step.has_failed) == (1, 2, True)
    assert 58 < seconds_until_due(step) <= 60
    Step.objects.update(due_at=Now())
    run_due_steps()
    assert 118 < seconds_until_due(step) <= 120
    assert run_to_end(operation).state == OperationState.SUCCEEDED
    step.refresh_from_db()
    assert (step.attempt, step.reason, step.hint, step.has_failed) == (3, "", "", False)


def test_step_failing_the_same_way_again_is_one_event():
    same = Failed("Unreachable", "vCenter does not answer.")
    script(a=[same, same, Failed("LoginRefused", "Wrong password.", retry=Retry.SLOWLY), Done()])

    run_to_end(start(spec("a")))

    failures = Event.objects.exclude(severity=Severity.INFO).order_by("number")
    assert [(event.reason, event.severity) for event in failures] == [
        ("Unreachable", Severity.WARNING),
        ("LoginRefused", Severity.ERROR),
    ]


def test_step_raising_shows_a_safe_sentence_and_logs_the_rest(caplog):
    script(a=[RuntimeError("secret-token-123"), Done()])
    operation = start(spec("a"))

    run_due_steps()

    step = step_of(operation, "a")
    assert (step.state, step.reason) == (StepState.RETRYING, "InternalError")
    assert "secret" not in step.message + step.hint
    assert not Event.objects.filter(message__contains="secret").exists()
    assert "RuntimeError" in caplog.text


@pytest.mark.parametrize("function", ["no.such.function", "tests.engine.nothing"])
def test_step_with_unknown_function(function):
    operation = start(spec("a"))
    operation.steps.update(function=function)

    run_due_steps()

    assert step_of(operation, "a").reason == "InternalError"


def test_step_returning_nonsense():
    script(a=lambda context: "done")
    operation = start(spec("a"))

    run_due_steps()

    assert step_of(operation, "a").reason == "InternalError"


def test_step_whose_function_loses_the_database():
    script(a=[OperationalError("server closed the connection"), Done()])
    operation = start(spec("a"))

    run_due_steps()

    assert step_of(operation, "a").reason == "DatabaseUnavailable"


def test_step_whose_write_fails_is_not_done():
    def write():
        Operation.objects.update(reason="half")
        raise ValueError("no")

    script(a=[Done("ok", write=write), Done()])
    operation = start(spec("a"))

    run_due_steps()

    operation.refresh_from_db()
    assert operation.reason == ""
    assert step_of(operation, "a").reason == "InternalError"


def test_step_adds_steps():
    script(a=Done(add_steps=(spec("b1", "a"), spec("b2", "b1"))))
    operation = start(spec("a"))

    run_to_end(operation)

    assert called() == ["a", "b1", "b2"]
    assert operation.state == OperationState.SUCCEEDED
    assert [step.position for step in operation.steps.all()] == [0, 1, 2]


def test_step_adding_a_step_with_unknown_dependency_fails():
    script(a=Done(add_steps=(spec("b", "nowhere"),)))
    operation = start(spec("a"))

    run_due_steps()

    assert step_of(operation, "a").reason == "InternalError"
    assert operation.steps.count() == 1


def expire(step: Step) -> None:
    Step.objects.filter(pk=step.pk).update(lease_until=Now() - timedelta(seconds=1))


def test_step_of_a_dead_worker_is_done_again_by_another():
    operation = start(spec("a"))
    step = step_of(operation, "a")
    claims.claim_step(step.pk)
    assert run_step(step.pk) is None

    expire(step)
    run_due_steps()

    step.refresh_from_db()
    assert (step.state, step.attempt, step.crashes) == (StepState.DONE, 2, 0)
    assert Event.objects.filter(reason="WorkerLost", step=step).count() == 1


def test_step_that_kills_every_worker_is_left_alone_for_longer():
    operation = start(spec("a"))
    step = step_of(operation, "a")
    for _ in range(4):
        assert claims.claim_step(step.pk)
        expire(step)

    assert claims.claim_step(step.pk) is None


def test_ghost_changes_nothing():
    written = []
    operation = start(spec("a"))
    step = step_of(operation, "a")

    def be_overtaken(context):
        expire(step)
        assert claims.claim_step(step.pk)
        return Done("late", write=lambda: written.append(1))

    script(a=be_overtaken)
    assert run_step(step.pk) is None

    step.refresh_from_db()
    assert (step.state, step.message, written) == (StepState.RUNNING, "", [])


def test_ghost_notices_before_it_acts_outside():
    did = []
    operation = start(spec("a"))
    step = step_of(operation, "a")

    def be_overtaken(context):
        expire(step)
        assert claims.claim_step(step.pk)
        context.still_mine()
        did.append("clone")
        return Done()

    script(a=be_overtaken)

    assert run_step(step.pk) is None
    assert did == []


def test_claim_whose_lease_ended_by_our_own_clock_is_lost(monkeypatch):
    operation = start(spec("a"))

    def be_suspended(context):
        now = claims.boot_clock()
        monkeypatch.setattr(claims, "boot_clock", lambda: now + 3600)
        context.still_mine()
        return Done()

    script(a=be_suspended)

    assert run_step(step_of(operation, "a").pk) is None


def test_steps_due_longest_come_first():
    operation = start(spec("a"), spec("b"))
    operation.steps.filter(key="b").update(due_at=Now() - timedelta(minutes=1))

    run_next_step()

    assert called() == ["b"]


def test_of_steps_due_together_the_first_of_the_plan_goes_first():
    operation = start(spec("a"), spec("b"), spec("c"), spec("whole"))
    operation.steps.exclude(key="whole").update(group="machine-1")
    for milliseconds, key in enumerate(["c", "b", "a", "whole"]):
        due_at = datetime(2026, 1, 1, 12, 0, 0, 1000 * milliseconds, tzinfo=UTC)
        operation.steps.filter(key=key).update(due_at=due_at)

    run_due_steps()

    assert called() == ["whole", "a", "b", "c"]


def test_step_with_a_head_start_goes_before_what_is_late_by_less():
    operation = start(
        spec("early"),
        spec("late"),
        spec("clone", head_start_seconds=60),
        spec("other", head_start_seconds=30),
    )
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    for key, seconds in {"early": 90, "late": 50, "other": 0, "clone": 0}.items():
        operation.steps.filter(key=key).update(due_at=now - timedelta(seconds=seconds))

    run_due_steps()

    assert called() == ["early", "clone", "late", "other"]


def test_events_of_a_write_are_numbered_with_the_outcome():
    subject = make_subject()

    def write():
        record_event(subject=subject, severity=Severity.INFO, reason="AddressReleased", message="Free.")

    script(a=Done(write=write))
    start(spec("a"), subject=subject)

    run_due_steps()

    reasons = list(Event.objects.after(0).values_list("number", "reason"))
    assert reasons == [(1, "OperationStarted"), (2, "AddressReleased"), (3, "OperationSucceeded")]


def test_step_of_deleted_operation_is_nobodys():
    assert run_step(uuid4()) is None
