"""Node pools of a running cluster: more of them, other sizes, and none."""

from collections import Counter
from collections.abc import Collection

from django.db import transaction

from clusters.actions.changing import begin_change, lock_for_change, note_in_audit
from clusters.actions.machines import add_machine_rows, create_pool
from clusters.actions.requests import PoolRequest
from clusters.changes import add_machines_plan, gone_key, remove_machines_plan
from clusters.models import MASTER_SIZES, AddressAllocation, Cluster, Machine, MachinePool, PoolRole
from clusters.plan import step_spec
from clusters.states import MachineState
from clusters.troubles import POWERED_ON
from ippools.actions import check_promise, reserve
from ippools.reservations import Reservation
from palette_portal.http import Conflict
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants.models import User


class PoolNameTaken(Conflict):
    pass


@transaction.atomic
def resize_pool(
    *, pool: MachinePool, size: int, by: User | None, leaving: Collection[Machine] = ()
) -> Operation:
    """Raise Conflict, PoolExhausted or OperationActive. Without `leaving` the portal chooses who goes."""
    cluster = lock_for_change(pool.cluster, by=by)
    pool = MachinePool.objects.select_related("ip_pool").get(pk=pool.pk)
    check_size(pool, size, by=by)
    before = pool.size
    MachinePool.objects.filter(pk=pool.pk).update(size=size)
    steps = _grow(pool, size - before) if size > before else _shrink(pool, before - size, leaving)
    operation = begin_change(cluster, steps, kind=OperationKind.SCALE, by=by)
    note_in_audit(cluster, action="scale", by=by, pool=pool.name, before=before, after=size)
    return operation


def check_size(pool: MachinePool, size: int, *, by: User | None) -> None:
    if size == pool.size:
        raise Conflict(f"{pool.name} has {size} node{'' if size == 1 else 's'} already.")
    if pool.is_worker:
        _check_worker_size(pool, size, by=by)
    elif size not in MASTER_SIZES:
        raise Conflict("The master pool has 1, 3 or 5 nodes, so that a majority of them can always decide.")
    elif size < pool.size:
        raise Conflict(
            "The master pool cannot become smaller: its nodes hold the cluster's data. Deploy a new cluster."
        )
    if size > pool.size and pool.cluster.address_allocation == AddressAllocation.STATIC:
        _check_room(pool, size)


def _check_room(pool: MachinePool, size: int) -> None:
    """Up to its autoscaler's maximum a pool uses what it was promised."""
    assert pool.ip_pool is not None  # static clusters have one for each pool
    more = Reservation(size - pool.size)
    if size <= (pool.maximum_size or 0):
        check_promise(pool.ip_pool, more)
    else:
        reserve({pool.ip_pool: more}, cluster_id=pool.cluster_id)


def _check_worker_size(pool: MachinePool, size: int, *, by: User | None) -> None:
    if size < 1:
        raise Conflict("A worker pool has at least one node. Delete the pool if you need none.")
    if pool.autoscales and by is not None:
        raise Conflict(pool.fixed_because)


def _grow(pool: MachinePool, count: int) -> list[StepSpec]:
    return add_machines_plan(pool.cluster, add_machine_rows(pool, count))


def _shrink(pool: MachinePool, count: int, leaving: Collection[Machine]) -> list[StepSpec]:
    machines = list(leaving) or machines_to_leave(pool, count)
    if len(machines) != count:
        raise Conflict(f"{pool.name} has fewer nodes than it should have. Try again when it has settled.")
    return remove_machines_plan(pool.cluster, machines)


def machines_to_leave(pool: MachinePool, count: int) -> list[Machine]:
    """What is broken first, then the newest of the place that has most: zones stay even."""
    rows = Machine.objects.present().filter(pool=pool).exclude(state=MachineState.DELETING)
    staying = list(rows.select_related("pool", "cluster"))
    chosen: list[Machine] = []
    for _ in range(min(count, len(staying))):
        crowd = Counter(machine.placement_id for machine in staying)
        machine = max(staying, key=lambda one: (_is_broken(one), crowd[one.placement_id], one.index))
        staying.remove(machine)
        chosen.append(machine)
    return chosen


def _is_broken(machine: Machine) -> bool:
    return machine.missing_since is not None or machine.power_state not in ("", POWERED_ON)


@transaction.atomic
def add_pool(*, cluster: Cluster, request: PoolRequest, by: User) -> Operation:
    """A further worker pool. Raise Conflict, PoolNameTaken, PoolUnavailable or OperationActive."""
    cluster = lock_for_change(cluster, by=by)
    _check_new_pool(cluster, request)
    pool = create_pool(cluster, request)
    steps = add_machines_plan(cluster, add_machine_rows(pool, request.size))
    operation = begin_change(cluster, steps, kind=OperationKind.SCALE, by=by)
    note_in_audit(cluster, action="add node pool", by=by, pool=pool.name, nodes=request.size)
    return operation


def _check_new_pool(cluster: Cluster, request: PoolRequest) -> None:
    if request.is_control_plane:
        raise Conflict("A cluster has one master pool.")
    if cluster.machine_pools.filter(name=request.name).exists():
        raise PoolNameTaken(f"{cluster} has a node pool {request.name} already.")
    if cluster.address_allocation == AddressAllocation.STATIC:
        if request.ip_pool is None:
            raise Conflict(f"Choose an IP pool for {request.name}.")
        reserve({request.ip_pool: request.reservation}, cluster_id=cluster.pk)


@transaction.atomic
def delete_pool(*, pool: MachinePool, by: User) -> Operation:
    """Its nodes are drained and removed; the pool's row goes with the last of them."""
    cluster = lock_for_change(pool.cluster, by=by)
    check_pool_deletable(pool)
    machines = list(Machine.objects.present().filter(pool=pool).select_related("pool", "cluster"))
    finish = step_spec(
        f"{pool.name}:removed",
        "Remove the node pool",
        "pools.ensure_pool_removed",
        [gone_key(machine) for machine in machines],
        pool=str(pool.pk),
    )
    steps = [*remove_machines_plan(cluster, machines), finish]
    operation = begin_change(cluster, steps, kind=OperationKind.SCALE, by=by)
    note_in_audit(cluster, action="delete node pool", by=by, pool=pool.name, nodes=len(machines))
    return operation


def check_pool_deletable(pool: MachinePool) -> None:
    """Raise Conflict with the reason."""
    if not pool.is_worker:
        raise Conflict("The master pool is the cluster itself: delete the cluster instead.")
    others = MachinePool.objects.filter(cluster=pool.cluster_id).exclude(pk=pool.pk)
    if not others.filter(role=PoolRole.WORKER).exists() and not others.filter(takes_workloads=True).exists():
        raise Conflict(
            "This is the only pool that takes workloads. Add another worker pool first, or allow worker "
            "capability on the master pool."
        )
