"""What goes wrong while machines come and leave, and that it goes on from there."""

import random
import time
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from clusters.actions.machines import add_machine_rows, unfinished_machines
from clusters.changes import add_machines_plan, gone_key, remove_machines_plan
from clusters.models import InstructionState, Machine, NodeInstruction, PoolRole
from palette_portal.orchestration.actions import cancel_operation
from palette_portal.orchestration.models import Event, StepState
from palette_portal.orchestration.outcomes import Outcome
from palette_portal.orchestration.steps import StepContext
from tests.engine import make_waiting_steps_due
from tests.integration.changes.scene import (
    add,
    change,
    finish,
    machines_of,
    names,
    pool_of,
    remove,
    replace_all,
    run_cluster,
)
from tests.integration.provisioning.stage import Stage
from tests.integration.provisioning.test_killed import worker
from tests.integration.provisioning.test_repeated import (
    StepFunction,
    dying_first_at,
    next_claim,
    steps_run_as,
)

WORKER = PoolRole.WORKER


def twice(function: StepFunction, context: StepContext) -> Outcome:
    function(context)
    return function(next_claim(context))


def test_every_step_runs_twice_with_the_first_result_lost(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_cluster(stage, masters=1)
    (old,) = machines_of(stage)

    with steps_run_as(monkeypatch, twice):
        (new,) = replace_all(stage, kubernetes_version="1.31.9")
        finish(stage)

    assert stage.lab.calls()["CloneVM_Task"] == 1
    assert stage.guests.log == ["version v1.31.9", f"{new.name} in", f"{old.name} out"]
    told = list(Event.objects.of(stage.cluster.subject).values_list("reason", flat=True))
    for reason in ("JoinTokenMade", "KubernetesVersionSet", "NodeRemoved", "MachineDeleted"):
        assert told.count(reason) == 1, reason


@pytest.mark.parametrize("method", ["keep_reference", "still_mine"])
def test_worker_dies_in_every_step(stage: Stage, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    run_cluster(stage, masters=1)

    with steps_run_as(monkeypatch, dying_first_at(method, monkeypatch)):
        (new,) = replace_all(stage)
        finish(stage)

    assert names(machines_of(stage)) == [new.name]
    assert stage.guests.members == {new.name}
    assert stage.lab.calls()["CloneVM_Task"] == 1


def test_instruction_that_fails_once_is_asked_again(stage: Stage) -> None:
    run_cluster(stage)
    stage.guests.refusing["create-join-token"] = 1

    add(stage, 2)
    stage.go_on_until(stage.fails_with("join-token", "InstructionFailed"))

    step = stage.step("join-token")
    assert "Create join token failed on" in step.message and "request timed out" in step.message
    finish(stage)
    assert NodeInstruction.objects.get(key="join-token").state == InstructionState.DONE


def test_machine_that_is_gone_from_vcenter_is_replaced(stage: Stage) -> None:
    run_cluster(stage, masters=3)
    dead = machines_of(stage)[1]
    stage.vcenter.remove([dead.moid])
    stage.lab.forget_calls()

    new = replace_all(stage)
    finish(stage)

    assert stage.guests.members == set(names(new))
    assert stage.lab.calls()["Destroy_Task"] == 2


def test_master_that_is_switched_off_leaves_the_cluster_all_the_same(stage: Stage) -> None:
    run_cluster(stage, masters=3)
    dead = machines_of(stage)[0]
    stage.vcenter.wait(stage.vcenter.machine(dead.name).PowerOffVM_Task())

    remove(stage, [dead])
    finish(stage)

    assert stage.guests.members == set(names(machines_of(stage)))
    assert dead.name not in names(machines_of(stage))


def test_node_that_cannot_set_itself_up_holds_the_next_one_back(stage: Stage) -> None:
    run_cluster(stage)
    first, second = add_machine_rows(pool_of(stage), 2)
    stage.guests.failing = {first.name}
    change(stage, add_machines_plan(stage.cluster, [first, second]))

    stage.go_on_until(stage.fails_with(f"{first.name}/in-cluster", "NodeBootstrapFailed"))

    assert stage.step(f"{second.name}/powered-on").state == StepState.PENDING
    # Somebody repairs it.
    Machine.objects.filter(pk=first.pk).update(phase="ready")
    finish(stage)


def test_what_a_cancelled_operation_left_goes_with_the_next(stage: Stage) -> None:
    run_cluster(stage, workers=1)
    left = add(stage, 2, WORKER)
    stage.guests.silent = set(names(left))
    stage.go_on_until(lambda: stage.step(f"{left[0].name}/powered-on").state == StepState.DONE)
    assert unfinished_machines(stage.cluster) == []

    with transaction.atomic():
        cancel_operation(stage.operation, by=None)
    found = unfinished_machines(stage.cluster)
    assert names(found) == names(left)
    steps = remove_machines_plan(stage.cluster, found, prefix="left:")
    new = add_machine_rows(pool_of(stage, WORKER), 1)
    change(stage, [*steps, *add_machines_plan(stage.cluster, new, after=[gone_key(left[1])])])
    finish(stage)

    assert [machine.index for machine in machines_of(stage, WORKER)] == [1, 4]


def test_instruction_of_a_cancelled_operation_is_given_to_nobody(stage: Stage) -> None:
    run_cluster(stage, workers=1)
    (old,) = machines_of(stage, WORKER)
    remove(stage, [old])
    stage.guests.is_watching = False
    stage.go_on_until(lambda: NodeInstruction.objects.filter(key="remove-node").exists())

    with transaction.atomic():
        cancel_operation(stage.operation, by=None)
    stage.guests.is_watching = True
    stage.guests.work()

    assert old.name in stage.guests.nodes
    assert NodeInstruction.objects.get(key="remove-node").state == InstructionState.WITHDRAWN


def test_step_says_that_no_node_has_come_for_its_instruction(stage: Stage) -> None:
    run_cluster(stage)
    add(stage, 2)
    stage.guests.is_watching = False
    stage.go_on_until(lambda: NodeInstruction.objects.exists())
    NodeInstruction.objects.update(created_at=timezone.now() - timedelta(minutes=3))

    stage.go_on_until(lambda: "No control plane node" in stage.step("join-token").message)

    stage.guests.is_watching = True
    finish(stage)


@pytest.mark.django_db(transaction=True)
def test_workers_are_killed_again_and_again(stage: Stage) -> None:
    run_cluster(stage)
    stage.lab.set_durations(clone_seconds=0.5, power_on_seconds=0.2)
    old = machines_of(stage)
    new = replace_all(stage)
    deadline = time.monotonic() + 120

    while not stage.has_ended():
        assert time.monotonic() < deadline, stage.describe()
        with worker():
            end = time.monotonic() + random.uniform(0.2, 1.2)
            while time.monotonic() < end:
                stage.guests.play()
                stage.guests.work()
                make_waiting_steps_due(stage.operation)

    stage.assert_nothing_doubled_or_leaked()
    assert stage.lab.calls()["CloneVM_Task"] == 1
    assert stage.guests.log == [f"{new[0].name} in", f"{old[0].name} out"]
