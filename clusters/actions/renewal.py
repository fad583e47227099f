"""Machines of a running cluster made anew: other hardware, other places, or because one is broken.

What is about to happen is planned first, without doing it, so that a page can show it: see `Renewal`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import transaction

from clusters.actions.changing import begin_change, lock_for_change, note_in_audit
from clusters.actions.machines import add_machine_rows
from clusters.actions.requests import PlacementRequest, PoolRequest
from clusters.changes import add_machines_plan, gone_key, remove_machines_plan, replace_machines_plan
from clusters.models import Machine, MachinePool, Placement, PoolRole
from clusters.plan import step_spec
from clusters.states import MachineState
from clusters.troubles import trouble_of
from ippools.actions import check_has_room, lock_pools
from ippools.reservations import Reservation
from palette_portal.http import Conflict
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants.models import User

HARDWARE = ("num_cpus", "memory_mib", "disk_gib")
SETTINGS = (
    "instance_type",
    "takes_workloads",
    "autoscales",
    "minimum_size",
    "maximum_size",
    "rolling_update",
    "surge",
    "unavailable",
)


@dataclass(frozen=True)
class Renewal:
    """What editing a pool comes to."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str | None] = field(default_factory=dict)
    taints: Sequence[Mapping[str, str]] = ()
    removed_taints: Sequence[Mapping[str, str]] = ()
    places: tuple[PlacementRequest, ...] | None = None
    replaced: tuple[Machine, ...] = ()
    staying: tuple[Machine, ...] = ()

    @property
    def makes_anew(self) -> bool:
        """All that there is becomes of an older generation."""
        return self.places is not None or any(name in self.settings for name in HARDWARE)

    @property
    def changes_nodes(self) -> bool:
        return bool(self.labels or self.taints or self.removed_taints)

    @property
    def is_empty(self) -> bool:
        return not (self.settings or self.changes_nodes or self.replaced or self.places is not None)


def plan_renewal(pool: MachinePool, request: PoolRequest) -> Renewal:
    """Raise Conflict when the pool cannot become so."""
    _check_possible(pool, request)
    settings = {name: value for name, value in _settings(request).items() if getattr(pool, name) != value}
    labels: dict[str, str | None] = dict.fromkeys(pool.labels.keys() - request.labels.keys())
    labels |= {key: value for key, value in request.labels.items() if pool.labels.get(key) != value}
    wanted = [taint.as_json() for taint in request.taints]
    places = request.placements if _places_differ(pool, request.placements) else None
    renewal = Renewal(
        settings=settings,
        labels=labels,
        taints=[taint for taint in wanted if taint not in pool.taints],
        removed_taints=[taint for taint in pool.taints if taint not in wanted],
        places=places,
    )
    return _with_machines(renewal, pool)


def _with_machines(renewal: Renewal, pool: MachinePool) -> Renewal:
    """What a change that was stopped has left as it was before goes with any other change."""
    machines = _machines(pool)
    replaced = [one for one in machines if renewal.makes_anew or one.generation != pool.generation]
    staying = [machine for machine in machines if machine not in replaced]
    return replace(renewal, replaced=tuple(replaced), staying=tuple(staying))


def _check_possible(pool: MachinePool, request: PoolRequest) -> None:
    if request.name != pool.name or request.role != pool.role:
        raise Conflict("A node pool keeps its name. Add another pool, and delete this one.")
    if not pool.is_worker and _places_differ(pool, request.placements):
        raise Conflict("The master pool cannot move: its nodes hold the cluster's data on their datastores.")
    if not request.placements:
        raise Conflict(f"{pool.name} needs at least one availability zone.")
    if request.ip_pool != pool.ip_pool:
        raise Conflict("A node pool keeps its IP pool. Add another pool, and delete this one.")
    more = _more(pool, request)
    if pool.ip_pool and more.total:
        check_has_room(pool.ip_pool, more, cluster_id=pool.cluster_id)


def _more(pool: MachinePool, request: PoolRequest) -> Reservation:
    """What it may need from now on beyond what it has, as far as that was not promised before."""
    before, after = pool.reservation, request.reservation
    return Reservation(
        nodes=after.nodes - pool.size if after.nodes > before.nodes else 0,
        spare=after.spare if after.spare > before.spare else 0,
    )


def _settings(request: PoolRequest) -> dict[str, Any]:
    surge, unavailable = request.moves
    scaling = request.autoscaling
    plain = ("instance_type", "takes_workloads", "rolling_update", *HARDWARE)
    return {
        **{name: getattr(request, name) for name in plain},
        "surge": surge,
        "unavailable": unavailable,
        "autoscales": scaling is not None,
        "minimum_size": scaling.minimum if scaling else None,
        "maximum_size": scaling.maximum if scaling else None,
    }


def _places_differ(pool: MachinePool, wanted: Collection[PlacementRequest]) -> bool:
    return {_place(place) for place in _current_places(pool)} != {_place(place) for place in wanted}


def _place(place: Placement | PlacementRequest) -> tuple[str, ...]:
    return (
        place.compute_cluster_moid,
        place.resource_pool_moid,
        place.datastore_moid,
        place.network_moid,
        place.zone,
    )


def _current_places(pool: MachinePool) -> list[Placement]:
    return list(pool.placements.filter(is_given_up=False))


def _machines(pool: MachinePool) -> list[Machine]:
    rows = Machine.objects.present().filter(pool=pool).exclude(state=MachineState.DELETING)
    return list(rows.select_related("pool", "cluster").order_by("index"))


@transaction.atomic
def edit_pool(*, pool: MachinePool, request: PoolRequest, by: User) -> Operation | None:
    """None when no node is touched. Raise Conflict, PoolExhausted or OperationActive.

    Labels and taints of nodes that stay are changed in place; nodes of other hardware or places are
    replaced one after the other, as the pool's rolling update says.
    """
    cluster = lock_for_change(pool.cluster, by=by)
    lock_pools({pool.ip_pool_id} if pool.ip_pool_id else set())
    pool = MachinePool.objects.select_related("ip_pool", "cluster").get(pk=pool.pk)
    renewal = plan_renewal(pool, request)
    if renewal.is_empty:
        raise Conflict(f"Nothing of {pool.name} is different.")
    _save(pool, request, renewal)
    steps = _change_nodes(renewal)
    if not pool.is_worker and "takes_workloads" in renewal.settings:
        steps += _open_masters(pool, renewal.staying)
    if renewal.replaced:
        steps += _renew(pool, renewal.replaced)
    operation = begin_change(cluster, steps, kind=OperationKind.UPDATE, by=by) if steps else None
    note_in_audit(cluster, action="edit node pool", by=by, pool=pool.name, replaced=len(renewal.replaced))
    return operation


def _save(pool: MachinePool, request: PoolRequest, renewal: Renewal) -> None:
    for name, value in renewal.settings.items():
        setattr(pool, name, value)
    pool.labels = dict(request.labels)
    pool.taints = [taint.as_json() for taint in request.taints]
    pool.generation += renewal.makes_anew
    pool.save()
    if renewal.places is not None:
        pool.placements.update(is_given_up=True)
        Placement.objects.bulk_create(Placement(pool=pool, **vars(place)) for place in renewal.places)


def _change_nodes(renewal: Renewal) -> list[StepSpec]:
    if not renewal.changes_nodes:
        return []
    arguments = {
        "labels": dict(renewal.labels),
        "taints": list(renewal.taints),
        "removed_taints": list(renewal.removed_taints),
    }
    return [_change_node(machine, arguments) for machine in renewal.staying]


MASTER_TAINT = {"key": "node-role.kubernetes.io/control-plane", "value": "", "effect": "NoSchedule"}


def _open_masters(pool: MachinePool, masters: Sequence[Machine]) -> list[StepSpec]:
    """Worker capability is the absence of one taint."""
    gone, there = ([MASTER_TAINT], []) if pool.takes_workloads else ([], [MASTER_TAINT])
    arguments = {"labels": {}, "taints": there, "removed_taints": gone}
    return [_change_node(machine, arguments, word="capability") for machine in masters]


def _change_node(machine: Machine, arguments: Mapping[str, Any], *, word: str = "changed") -> StepSpec:
    key, title = f"{machine.name}/{word}", "Change labels and taints"
    return step_spec(key, title, "pools.ensure_node_changed", [], machine, **arguments)


def _renew(pool: MachinePool, old: Sequence[Machine], *, after: Sequence[str] = ()) -> list[StepSpec]:
    new = add_machine_rows(pool, len(old), instead_of=old)
    return replace_machines_plan(pool, old, new, after=after)


@transaction.atomic
def replace_machine(*, machine: Machine, by: User | None) -> Operation:
    """A new machine for one that is broken or unwanted. Raise Conflict, PoolExhausted or OperationActive."""
    cluster = lock_for_change(machine.cluster, by=by)
    machine = Machine.objects.select_related("pool__ip_pool", "cluster").get(pk=machine.pk)
    check_replaceable(machine)
    steps = _repair(machine) if _trouble(machine) else _renew(machine.pool, [machine])
    operation = begin_change(cluster, steps, kind=OperationKind.REPLACE, by=by)
    note_in_audit(cluster, action="replace node", by=by, node=machine.name)
    return operation


def check_replaceable(machine: Machine) -> None:
    """Raise Conflict with the reason. The control plane keeps its majority while one is replaced."""
    if machine.state in (MachineState.DELETING, MachineState.DELETED):
        raise Conflict(f"{machine.name} is {machine.state} already.")
    masters = Machine.objects.present().filter(
        cluster=machine.cluster_id, pool__role=PoolRole.CONTROL_PLANE, state=MachineState.RUNNING
    )
    others = [master for master in masters if master.pk != machine.pk and not _trouble(master)]
    if not others:
        raise Conflict(
            "No other control plane node runs that could take this one out of the cluster. "
            "Repair it in vCenter."
        )
    if machine.pool.role == PoolRole.CONTROL_PLANE and len(others) < machine.pool.size // 2 + 1:
        raise Conflict("Without it the control plane has no majority. Repair the other master nodes first.")


def _repair(machine: Machine) -> list[StepSpec]:
    """What is broken leaves first: its address is free then, and etcd counts no member that is dead."""
    new = add_machine_rows(machine.pool, 1, instead_of=[machine])
    return [
        *remove_machines_plan(machine.cluster, [machine]),
        *add_machines_plan(machine.cluster, new, after=[gone_key(machine)]),
    ]


def _trouble(machine: Machine) -> str:
    return trouble_of(machine, watching_since=machine.created_at)
