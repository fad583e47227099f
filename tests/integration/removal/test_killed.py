"""A worker that dies in any step of a removal: the next one finishes it, and nothing stays behind."""

import pytest

from gateways.actions.reset import reset_gateway
from palette_portal.orchestration.models import Event, StepState
from palette_portal.orchestration.outcomes import Outcome
from palette_portal.orchestration.steps import StepContext
from tests.factories import amelia
from tests.integration.provisioning.stage import Stage
from tests.integration.provisioning.test_repeated import Variant, dying_first_at, steps_run_as
from tests.integration.removal.scene import (
    StepFunction,
    all_machines,
    assert_nothing_left,
    finish,
    follow_latest,
    provision,
)
from tests.integration.vsphere.test_machines import attach_volume


def twice(function: StepFunction, context: StepContext) -> Outcome:
    function(context)
    return function(context)


def three_machines_at_work(stage: Stage) -> None:
    provision(stage, nodes=3)
    stage.go_on_until(lambda: stage.machine_step("powered-on", index=3).state == StepState.DONE)


def remove_while(stage: Stage, monkeypatch: pytest.MonkeyPatch, variant: Variant) -> None:
    reset_gateway(gateway=stage.gateway, by=amelia())
    follow_latest(stage)
    with steps_run_as(monkeypatch, variant):
        finish(stage)
    assert_nothing_left(stage)


def test_every_step_runs_twice_with_the_first_result_lost(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = all_machines(stage)
    three_machines_at_work(stage)

    remove_while(stage, monkeypatch, twice)

    assert all_machines(stage) == machines
    told = Event.objects.of(stage.cluster.subject).values_list("reason", flat=True)
    assert [*told].count("MachineDeleted") == 3
    assert [*told].count("ClusterDeleted") == [*told].count("GatewayReset") == 1


@pytest.mark.parametrize("method", ["keep_reference", "still_mine"])
def test_worker_dies_in_every_step(stage: Stage, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Between vCenter's answer and the commit of the task's id, or right before the write to vCenter."""
    stage.lab.set_durations(power_off_seconds=0.3, destroy_seconds=0.3)
    three_machines_at_work(stage)

    remove_while(stage, monkeypatch, dying_first_at(method, monkeypatch))


@pytest.mark.parametrize("method", ["PowerOffVM_Task", "Destroy_Task"])
def test_reply_to_a_write_is_lost(stage: Stage, method: str) -> None:
    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("powered-on").state == StepState.DONE)
    stage.lab.lose_reply(method)

    reset_gateway(gateway=stage.gateway, by=amelia())
    follow_latest(stage)
    finish(stage)

    assert_nothing_left(stage)


def test_volume_that_was_attached_is_detached_and_stays(stage: Stage) -> None:
    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("powered-on").state == StepState.DONE)
    attach_volume(stage.vcenter, stage.machine().name)
    stage.lab.forget_calls()

    reset_gateway(gateway=stage.gateway, by=amelia())
    follow_latest(stage)
    finish(stage)

    assert_nothing_left(stage)
    assert stage.lab.calls()["ReconfigVM_Task"] == 1
