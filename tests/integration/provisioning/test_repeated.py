"""A worker may die at any moment, so every step may run again: nothing is done twice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from clusters.steps import machines
from palette_portal.orchestration import engine
from palette_portal.orchestration.models import Event, OperationState, Step
from palette_portal.orchestration.outcomes import Outcome
from palette_portal.orchestration.steps import StepContext
from tests.integration.provisioning.stage import Stage

StepFunction = Callable[[StepContext], Outcome]
Variant = Callable[[StepFunction, StepContext], Outcome]


class Died(BaseException):
    """The worker is gone: not even an error is recorded."""


@contextmanager
def steps_run_as(monkeypatch: pytest.MonkeyPatch, variant: Variant) -> Iterator[None]:
    """Every step function is called by the variant instead of by the engine."""
    real = engine.import_string

    def imported(path: str) -> Any:
        function = real(path)
        return lambda context: variant(function, context)

    with monkeypatch.context() as patched:
        patched.setattr(engine, "import_string", imported)
        yield


def next_claim(context: StepContext) -> StepContext:
    """What the worker gets that takes the step over."""
    reference = Step.objects.get(pk=context.step_id).external_ref
    return replace(context, attempt=context.attempt + 1, external_ref=reference)


def finish(stage: Stage) -> None:
    stage.finish()
    assert stage.operation.state == OperationState.SUCCEEDED
    stage.assert_nothing_doubled_or_leaked()


def test_every_step_runs_twice_with_the_first_result_lost(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(function: StepFunction, context: StepContext) -> Outcome:
        function(context)
        return function(next_claim(context))

    stage.start(nodes=3)

    with steps_run_as(monkeypatch, twice):
        finish(stage)

    assert stage.lab.calls()["CloneVM_Task"] == 3


def test_reference_of_a_started_task_is_lost_with_the_worker(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies between vCenter's answer and the commit of the task's id, once in every step."""
    stage.lab.set_durations(clone_seconds=1, power_on_seconds=0.3)
    stage.start(nodes=3)

    with steps_run_as(monkeypatch, dying_first_at("keep_reference", monkeypatch)):
        finish(stage)

    assert stage.lab.calls()["CloneVM_Task"] == 3


def test_lost_clone_ends_between_two_looks(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is not there yet, and a moment later no clone runs any more."""
    real = machines.find_recent_clone

    def when_it_is_over(*arguments: Any) -> Any:
        while (clone := real(*arguments)) and not clone.task.is_over:
            pass
        return clone

    stage.lab.set_durations(clone_seconds=0.5)
    stage.start()

    with monkeypatch.context() as patched:
        patched.setattr(machines, "find_recent_clone", when_it_is_over)
        with steps_run_as(monkeypatch, dying_first_at("keep_reference", monkeypatch)):
            finish(stage)

    assert stage.lab.calls()["CloneVM_Task"] == 1


def test_worker_dies_right_before_every_write(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.start()

    with steps_run_as(monkeypatch, dying_first_at("still_mine", monkeypatch)):
        finish(stage)

    assert stage.lab.calls()["CloneVM_Task"] == 1
    assert stage.lab.calls()["PowerOnVM_Task"] == 1


def dying_first_at(method: str, monkeypatch: pytest.MonkeyPatch) -> Variant:
    """The worker dies in this call of the step's context; the next one does the step from the beginning."""
    done_before = set()

    def die(*_: object) -> None:
        raise Died

    def variant(function: StepFunction, context: StepContext) -> Outcome:
        if context.key not in done_before:
            done_before.add(context.key)
            with monkeypatch.context() as patched, suppress(Died):
                patched.setattr(StepContext, method, die)
                return function(context)
            return function(next_claim(context))
        return function(context)

    return variant


def test_each_truth_is_told_once_although_steps_ran_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(function: StepFunction, context: StepContext) -> Outcome:
        function(context)
        return function(next_claim(context))

    stage.start()

    with steps_run_as(monkeypatch, twice):
        finish(stage)

    told = Event.objects.of(stage.cluster.subject).values_list("reason", flat=True)
    for reason in ("MachineCloned", "MachinePoweredOn", "AddressReported", "NodesReady", "ClusterRunning"):
        assert list(told).count(reason) == 1, reason
