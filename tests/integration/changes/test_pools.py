"""Node pools of a running cluster on the lab: resized, added, edited and deleted, as a person asks for it."""

from dataclasses import replace
from typing import Any

import pytest

from clusters.actions.changing import stop_change
from clusters.actions.pools import add_pool, delete_pool, resize_pool
from clusters.actions.renewal import edit_pool, plan_renewal, replace_machine
from clusters.actions.requests import Autoscaling, PlacementRequest, PoolRequest
from clusters.details import head_context
from clusters.models import MachinePool, PoolRole
from clusters.states import ClusterState
from ippools.actions import PoolExhausted
from ippools.models import IPAddressClaim
from palette_portal.bootstrap.nodes import Taint, TaintEffect
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import OperationActive
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.tenants.models import AuditRow, User
from palette_portal.tenants.permissions import Denied
from palette_portal.tenants.roles import Role
from tests.factories import bao, make_project, make_user
from tests.integration.changes.scene import finish, machines_of, names, pool_of, run_cluster, worker_pool
from tests.integration.provisioning.stage import Stage

WORKER = PoolRole.WORKER


@pytest.fixture
def editor(stage: Stage) -> User:
    return bao()


def go_on(stage: Stage, operation: Operation | None) -> None:
    assert operation is not None
    stage.operation = operation
    finish(stage)


def as_request(pool: MachinePool, **changes: Any) -> PoolRequest:
    """What the page sends when nothing is changed."""
    columns = [field for field in PlacementRequest.__dataclass_fields__]
    places = (
        PlacementRequest(**{name: getattr(place, name) for name in columns})
        for place in pool.placements.filter(is_given_up=False)
    )
    values: dict[str, Any] = {
        "name": pool.name,
        "role": PoolRole(pool.role),
        "size": pool.size,
        "num_cpus": pool.num_cpus,
        "memory_mib": pool.memory_mib,
        "disk_gib": pool.disk_gib,
        "placements": tuple(places),
        "ip_pool": pool.ip_pool,
        "takes_workloads": pool.takes_workloads,
        **changes,
    }
    return PoolRequest(**values)


def test_worker_pool_grows_and_shrinks(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)

    go_on(stage, resize_pool(pool=pool_of(stage, WORKER), size=3, by=editor))
    assert names(machines_of(stage, WORKER)) == ["shop-workers-1", "shop-workers-2", "shop-workers-3"]

    go_on(stage, resize_pool(pool=pool_of(stage, WORKER), size=1, by=editor))

    assert names(machines_of(stage, WORKER)) == ["shop-workers-1"]
    assert stage.guests.nodes == {"shop-cp-1", "shop-workers-1"}
    rows = AuditRow.objects.filter(action="scale").order_by("pk")
    assert [row.detail["after"] for row in rows] == [3, 1]


def test_master_pool_grows_one_node_at_a_time(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)

    go_on(stage, resize_pool(pool=pool_of(stage), size=3, by=editor))

    assert stage.guests.members == {"shop-cp-1", "shop-cp-2", "shop-cp-3"}
    assert stage.guests.log == ["shop-cp-2 in", "shop-cp-3 in"]


@pytest.mark.parametrize(
    ("role", "size", "reason"),
    [
        (PoolRole.CONTROL_PLANE, 1, "cannot become smaller"),
        (PoolRole.CONTROL_PLANE, 2, "1, 3 or 5"),
        (PoolRole.CONTROL_PLANE, 3, "has 3 nodes already"),
        (WORKER, 0, "at least one node"),
    ],
)
def test_impossible_size_is_refused(
    stage: Stage, editor: User, role: PoolRole, size: int, reason: str
) -> None:
    run_cluster(stage, masters=3, workers=1)

    with pytest.raises(Conflict, match=reason):
        resize_pool(pool=pool_of(stage, role), size=size, by=editor)

    assert pool_of(stage, role).size == (3 if role == PoolRole.CONTROL_PLANE else 1)


def test_pool_without_addresses_does_not_grow(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)
    free = len(list(stage.pool.addresses)) - IPAddressClaim.objects.held().count()

    with pytest.raises(PoolExhausted):
        resize_pool(pool=pool_of(stage, WORKER), size=free + 2, by=editor)

    assert pool_of(stage, WORKER).size == 1


def test_who_may_not_edit_is_denied(stage: Stage) -> None:
    run_cluster(stage, workers=1)
    viewer = make_user("vera", Role.PROJECT_VIEWER, project=make_project())

    with pytest.raises(Denied):
        resize_pool(pool=pool_of(stage, WORKER), size=2, by=viewer)


def test_second_change_waits_for_the_first(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)
    resize_pool(pool=pool_of(stage, WORKER), size=2, by=editor)

    with pytest.raises(OperationActive):
        resize_pool(pool=pool_of(stage, WORKER), size=3, by=editor)

    assert pool_of(stage, WORKER).size == 2
    assert len(machines_of(stage, WORKER)) == 2


def test_cluster_that_is_not_running_is_not_changed(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)
    type(stage.cluster).objects.update(state=ClusterState.DELETING)

    with pytest.raises(Conflict, match="only a Running cluster"):
        delete_pool(pool=pool_of(stage, WORKER), by=editor)


def test_pool_is_added_and_deleted(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)
    request = replace(worker_pool(stage, 2), name="gpu", labels={"kind": "gpu"})

    go_on(stage, add_pool(cluster=stage.cluster, request=request, by=editor))
    assert stage.guests.nodes == {"shop-cp-1", "shop-workers-1", "shop-gpu-1", "shop-gpu-2"}

    go_on(stage, delete_pool(pool=stage.cluster.machine_pools.get(name="gpu"), by=editor))

    assert stage.guests.nodes == {"shop-cp-1", "shop-workers-1"}
    assert not stage.cluster.machine_pools.filter(name="gpu").exists()


def test_pool_of_the_same_name_is_refused(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)

    with pytest.raises(Conflict, match="has a node pool workers already"):
        add_pool(cluster=stage.cluster, request=worker_pool(stage, 1), by=editor)


def test_last_pool_for_workloads_stays(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)
    MachinePool.objects.filter(role=PoolRole.CONTROL_PLANE).update(takes_workloads=False)

    with pytest.raises(Conflict, match="only pool that takes workloads"):
        delete_pool(pool=pool_of(stage, WORKER), by=editor)
    with pytest.raises(Conflict, match="delete the cluster instead"):
        delete_pool(pool=pool_of(stage), by=editor)


def test_other_hardware_replaces_nodes_one_after_the_other(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=2)
    pool = pool_of(stage, WORKER)
    request = as_request(pool, num_cpus=4, memory_mib=8192)
    assert names(plan_renewal(pool, request).replaced) == ["shop-workers-1", "shop-workers-2"]

    go_on(stage, edit_pool(pool=pool, request=request, by=editor))

    assert stage.guests.log == [
        "shop-workers-3 in",
        "shop-workers-1 out",
        "shop-workers-4 in",
        "shop-workers-2 out",
    ]
    vm = stage.vcenter.machine("shop-workers-3")
    assert stage.vcenter.read(vm, "config.hardware.numCPU")["config.hardware.numCPU"] == 4


def test_contract_first_removes_before_it_adds(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=2)
    pool = pool_of(stage, WORKER)
    MachinePool.objects.filter(pk=pool.pk).update(rolling_update="contract-first", surge=0, unavailable=1)
    pool.refresh_from_db()
    request = as_request(pool, rolling_update="contract-first", disk_gib=80)

    go_on(stage, edit_pool(pool=pool, request=request, by=editor))

    assert stage.guests.log[0] == "shop-workers-1 out"
    assert len(machines_of(stage, WORKER)) == 2


def test_labels_and_taints_change_nodes_in_place(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=2)
    pool = pool_of(stage, WORKER)
    MachinePool.objects.filter(pk=pool.pk).update(labels={"old": "yes"})
    pool.refresh_from_db()
    taint = Taint("dedicated", "batch", TaintEffect.NO_SCHEDULE)
    request = as_request(pool, labels={"tier": "batch"}, taints=(taint,))

    go_on(stage, edit_pool(pool=pool, request=request, by=editor))

    assert len(stage.guests.changed) == 2
    assert stage.guests.changed[0] == [
        ("name", "shop-workers-1"),
        ("label", "old-"),
        ("label", "tier=batch"),
        ("taint", "dedicated=batch:NoSchedule"),
    ]
    assert stage.guests.log == []
    assert pool_of(stage, WORKER).labels == {"tier": "batch"}


def test_limits_of_the_autoscaler_touch_no_node(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=2)
    pool = pool_of(stage, WORKER)

    operation = edit_pool(pool=pool, request=as_request(pool, autoscaling=Autoscaling(1, 4)), by=editor)

    assert operation is None
    assert (pool_of(stage, WORKER).minimum_size, pool_of(stage, WORKER).maximum_size) == (1, 4)
    with pytest.raises(Conflict, match="scales itself"):
        resize_pool(pool=pool_of(stage, WORKER), size=3, by=editor)


def test_nodes_move_to_the_places_chosen(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)
    pool = pool_of(stage, WORKER)
    (here,) = as_request(pool).placements
    elsewhere = replace(here, zone="az-2")

    go_on(stage, edit_pool(pool=pool, request=as_request(pool, placements=(elsewhere,)), by=editor))

    (machine,) = machines_of(stage, WORKER)
    assert (machine.name, machine.placement.zone) == ("shop-workers-2", "az-2")


def test_master_pool_does_not_move(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)
    pool = pool_of(stage)
    (here,) = as_request(pool).placements

    with pytest.raises(Conflict, match="cannot move"):
        edit_pool(pool=pool, request=as_request(pool, placements=(replace(here, zone="az-2"),)), by=editor)


def test_nothing_different_is_said(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)
    pool = pool_of(stage, WORKER)

    with pytest.raises(Conflict, match="Nothing of workers is different"):
        edit_pool(pool=pool, request=as_request(pool), by=editor)


def test_node_that_was_removed_by_hand_is_replaced(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=2)
    lost = machines_of(stage, WORKER)[0]
    stage.vcenter.remove([lost.moid])
    type(lost).objects.filter(pk=lost.pk).update(missing_since=lost.created_at)

    go_on(stage, replace_machine(machine=lost, by=editor))

    assert names(machines_of(stage, WORKER)) == ["shop-workers-2", "shop-workers-3"]
    assert stage.guests.log == ["shop-workers-1 out", "shop-workers-3 in"]


def test_only_master_is_not_replaced(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)

    with pytest.raises(Conflict, match="No other control plane node"):
        replace_machine(machine=machines_of(stage)[0], by=editor)


def test_master_is_not_replaced_below_the_majority(stage: Stage, editor: User) -> None:
    run_cluster(stage, masters=3, workers=1)
    first, second, _third = machines_of(stage)
    type(first).objects.filter(pk=first.pk).update(power_state="poweredOff")

    with pytest.raises(Conflict, match="no majority"):
        replace_machine(machine=second, by=editor)

    go_on(stage, replace_machine(machine=first, by=editor))
    assert stage.guests.members == {"shop-cp-2", "shop-cp-3", "shop-cp-4"}


def test_change_that_is_stopped_leaves_nothing(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)
    stage.operation = resize_pool(pool=pool_of(stage, WORKER), size=3, by=editor)
    stage.guests.silent |= {"shop-workers-2", "shop-workers-3"}
    stage.go_on_until(lambda: len(stage.vms_of_ours()) == 4)
    assert head_context(stage.cluster)["can_stop"]

    clean_up = stop_change(cluster=stage.cluster, by=editor)

    assert not head_context(stage.cluster)["can_stop"]
    with pytest.raises(Conflict, match="is stopped already"):
        stop_change(cluster=stage.cluster, by=editor)
    go_on(stage, clean_up)
    assert names(machines_of(stage, WORKER)) == ["shop-workers-1"]
    assert pool_of(stage, WORKER).size == 1


def test_replaced_node_goes_to_the_zone_that_it_leaves(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=2)
    (here,) = as_request(pool_of(stage, WORKER)).placements
    both = as_request(pool_of(stage, WORKER), placements=(here, replace(here, zone="az-2")))
    go_on(stage, edit_pool(pool=pool_of(stage, WORKER), request=both, by=editor))
    second = next(one for one in machines_of(stage, WORKER) if one.placement.zone == "az-2")

    go_on(stage, replace_machine(machine=second, by=editor))

    assert sorted(one.placement.zone for one in machines_of(stage, WORKER)) == sorted([here.zone, "az-2"])


def test_edit_that_was_stopped_is_continued(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=2)
    bigger = as_request(pool_of(stage, WORKER), disk_gib=90)
    stage.operation = edit_pool(pool=pool_of(stage, WORKER), request=bigger, by=editor)
    stage.go_on_until(lambda: "shop-workers-1" not in names(machines_of(stage, WORKER)))
    go_on(stage, stop_change(cluster=stage.cluster, by=editor))
    assert "shop-workers-2" in names(machines_of(stage, WORKER))

    renewal = plan_renewal(pool_of(stage, WORKER), as_request(pool_of(stage, WORKER)))
    labelled = as_request(pool_of(stage, WORKER), labels={"tier": "web"})
    operation = edit_pool(pool=pool_of(stage, WORKER), request=labelled, by=editor)
    go_on(stage, operation)

    assert names(renewal.replaced) == ["shop-workers-2"] and not renewal.settings
    machines = machines_of(stage, WORKER)
    assert names(renewal.staying)[0] in names(machines) and "shop-workers-2" not in names(machines)
    assert {machine.generation for machine in machines} == {pool_of(stage, WORKER).generation}
    changed = operation.steps.filter(title="Change labels and taints") if operation else ()
    assert len(changed) == len(renewal.staying)


def test_replacement_that_is_stopped_is_one_to_its_end(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)
    stage.operation = replace_machine(machine=machines_of(stage, WORKER)[0], by=editor)
    stage.guests.silent |= {"shop-workers-2"}
    stage.go_on_until(lambda: len(stage.vms_of_ours()) == 3)

    go_on(stage, stop_change(cluster=stage.cluster, by=editor))

    assert stage.operation.kind == OperationKind.REPLACE
    assert names(machines_of(stage, WORKER)) == ["shop-workers-1"]
    assert AuditRow.objects.get(action="stop change").detail["operation"] == "Replace node"


def test_nothing_to_stop_is_said(stage: Stage, editor: User) -> None:
    run_cluster(stage, workers=1)

    with pytest.raises(Conflict, match="Nothing is being changed"):
        stop_change(cluster=stage.cluster, by=editor)
