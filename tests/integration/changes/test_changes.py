"""Machines come into a running cluster, leave it and are replaced, on the lab's vCenter."""

from clusters.models import ClusterSecrets, PoolRole
from clusters.states import MachineState
from palette_portal.orchestration.models import Event
from tests.integration.changes.scene import (
    add,
    finish,
    machines_of,
    names,
    pool_of,
    remove,
    replace_all,
    run_cluster,
)
from tests.integration.provisioning.stage import Stage

WORKER = PoolRole.WORKER


def test_two_masters_join_one_after_the_other(stage: Stage) -> None:
    run_cluster(stage)

    new = add(stage, 2)
    finish(stage)

    assert stage.guests.log == [f"{name} in" for name in names(new)]
    assert stage.guests.members == set(names(machines_of(stage)))
    assert {machine.state for machine in machines_of(stage)} == {MachineState.RUNNING}
    told = Event.objects.of(stage.cluster.subject).filter(reason__in=["NodeBooted", "MachineRunning"])
    about = [(event.reason, event.object_name) for event in told.order_by("number")][-4:]
    assert about == [(word, name) for name in names(new) for word in ("NodeBooted", "MachineRunning")]


def test_new_machines_get_their_own_index_address_and_fresh_token(stage: Stage) -> None:
    run_cluster(stage)
    before = ClusterSecrets.objects.get(cluster=stage.cluster).bootstrap_token

    new = add(stage, 2)
    finish(stage)

    assert [machine.index for machine in new] == [2, 3]
    assert [machine.ip_address for machine in machines_of(stage)] == [
        "10.10.183.20",
        "10.10.183.22",
        "10.10.183.23",
    ]
    after = ClusterSecrets.objects.get(cluster=stage.cluster).bootstrap_token
    assert after != before and stage.guests.tokens == {after}


def test_workers_join_together_and_the_rest_is_left_alone(stage: Stage) -> None:
    run_cluster(stage, workers=1)

    new = add(stage, 2, WORKER)
    keys = set(stage.operation.steps.values_list("group", flat=True))
    finish(stage)

    assert keys == {"", *names(new)}
    assert stage.guests.nodes == {*names(machines_of(stage)), *names(machines_of(stage, WORKER))}
    assert stage.lab.calls()["CloneVM_Task"] == 2


def test_worker_leaves_the_cluster_before_its_machine_goes(stage: Stage) -> None:
    run_cluster(stage, workers=2)
    first, second = machines_of(stage, WORKER)
    stage.guests.undrainable = {second.name}

    remove(stage, [second])
    stage.go_on_until(stage.fails_with(f"{second.name}/out-of-cluster", "InstructionFailed"))

    step = stage.step(f"{second.name}/out-of-cluster")
    assert "disruption budget" in step.message and "kubectl" in step.hint
    second.refresh_from_db()
    assert second.state == MachineState.DELETING
    assert stage.vcenter.machine(second.name).runtime.powerState == "poweredOn"
    stage.guests.undrainable = set()
    finish(stage)
    assert names(machines_of(stage, WORKER)) == [first.name]
    assert stage.guests.nodes == {first.name, *names(machines_of(stage))}


def test_index_of_a_removed_machine_is_not_given_again(stage: Stage) -> None:
    run_cluster(stage, workers=1)
    remove(stage, machines_of(stage, WORKER))
    finish(stage)

    (new,) = add(stage, 1, WORKER)

    assert (new.index, new.name) == (2, "shop-workers-2")
    finish(stage)


def test_single_master_is_replaced_by_one_that_joins_first(stage: Stage) -> None:
    run_cluster(stage)
    (old,) = machines_of(stage)

    (new,) = replace_all(stage, kubernetes_version="1.31.9")
    finish(stage)

    assert stage.guests.log == ["version v1.31.9", f"{new.name} in", f"{old.name} out"]
    assert stage.guests.addons == "v1.31.9"
    assert stage.guests.members == {new.name}
    old.refresh_from_db()
    assert old.state == MachineState.DELETED


def test_three_masters_are_replaced_one_at_a_time_with_one_spare_address(stage: Stage) -> None:
    stage.pool.end = "10.10.183.24"
    stage.pool.save()
    run_cluster(stage, masters=3)
    old = machines_of(stage)

    new = replace_all(stage)
    finish(stage)

    expected = [
        f"{machine.name} {way}"
        for pair in zip(new, old, strict=True)
        for machine, way in zip(pair, ("in", "out"), strict=True)
    ]
    assert stage.guests.log == expected
    assert stage.guests.members == set(names(new))


def test_workers_are_replaced_within_the_limits_of_their_pool(stage: Stage) -> None:
    run_cluster(stage, workers=2)
    pool = pool_of(stage, WORKER)
    pool.surge, pool.unavailable = 0, 1
    pool.save()
    old = machines_of(stage, WORKER)

    new = replace_all(stage, WORKER)
    finish(stage)

    assert stage.guests.log == [
        f"{old[0].name} out",
        f"{new[0].name} in",
        f"{old[1].name} out",
        f"{new[1].name} in",
    ]


def test_report_of_a_removed_machine_is_refused(stage: Stage, client) -> None:
    from clusters.tokens import report_token

    run_cluster(stage, workers=1)
    (old,) = machines_of(stage, WORKER)
    remove(stage, [old])
    finish(stage)

    answer = client.post(
        f"/v1/machines/{old.id}/reports",
        {"phase": "heartbeat"},
        "application/json",
        headers={"authorization": f"Bearer {report_token(old).reveal()}"},
    )

    assert answer.status_code == 404
