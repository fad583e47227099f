"""What every change of a running cluster shares: who may, when, and what an interrupted one left behind."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction

from clusters.actions.machines import unfinished_machines
from clusters.actions.queue import why_queued
from clusters.changes import gone_key, remove_machines_plan
from clusters.models import MASTER_SIZES, Cluster, Machine, MachinePool
from clusters.states import MachineState, check_changeable
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import (
    OperationActive,
    announce_subject,
    cancel_operation,
    start_operation,
)
from palette_portal.orchestration.models import Operation, OperationKind, Step
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants import audit
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, check

CHANGES = (OperationKind.SCALE, OperationKind.REPLACE, OperationKind.UPDATE)
LEFT = "left:"


def is_what_a_stop_left(steps: Iterable[Step]) -> bool:
    """Whether they only remove what a stopped change had made: a change has other beginnings as well."""
    return all(step.key.startswith(LEFT) for step in steps if not step.depends_on)


def check_can_begin(cluster: Cluster) -> None:
    """Raise Conflict with the reason while a change of it cannot begin; begin_change asks once more."""
    check_changeable(cluster)
    if Operation.objects.of(cluster.subject).active().exists():
        raise OperationActive(cluster.subject)


def lock_for_change(cluster: Cluster, *, by: User | None) -> Cluster:
    """Nobody else changes it until the transaction ends. Nobody asks (`by` None): the portal itself does."""
    if by is not None:
        check(by, Permission.EDIT_CLUSTERS, project=cluster.project)
    rows = Cluster.objects.select_for_update(of=("self",)).select_related("gateway", "project", "tenant")
    locked = rows.get(pk=cluster.pk)
    check_changeable(locked)
    return locked


def begin_change(
    cluster: Cluster, steps: Sequence[StepSpec], *, kind: OperationKind, by: User | None
) -> Operation:
    """Raise OperationActive. What an earlier change that was stopped left is removed along the way."""
    known = {spec.key for spec in steps}
    left = [machine for machine in unfinished_machines(cluster) if _is_left(machine, known)]
    return start_operation(
        kind=kind,
        subject=cluster.subject,
        steps=[*remove_machines_plan(cluster, left, prefix=LEFT), *steps],
        by=by,
        queued_because=why_queued(cluster),
    )


def _is_left(machine: Machine, keys: set[str]) -> bool:
    return gone_key(machine) not in keys and not any(key.startswith(f"{machine.name}/") for key in keys)


@transaction.atomic
def stop_change(*, cluster: Cluster, by: User) -> Operation | None:
    """Give up a change that does not come to its end: what it has begun to make is removed.

    The pools' sizes are then what there really is. None when nothing was left to remove.
    """
    cluster = lock_for_change(cluster, by=by)
    active = Operation.objects.of(cluster.subject).active().filter(kind__in=CHANGES).first()
    if active is None:
        raise Conflict(f"Nothing is being changed on {cluster}.")
    if is_what_a_stop_left(active.steps.all()):
        raise Conflict("The change is stopped already. What it had begun to make is being removed.")
    cancel_operation(active, by=by)
    left = unfinished_machines(cluster)
    for pool in MachinePool.objects.filter(cluster=cluster):
        _count_anew(pool, left)
    announce_subject(cluster.subject)
    note_in_audit(cluster, action="stop change", by=by, operation=active.get_kind_display())
    if not left:
        return None
    steps = remove_machines_plan(cluster, left, prefix=LEFT)
    return start_operation(kind=OperationKind(active.kind), subject=cluster.subject, steps=steps, by=by)


def _count_anew(pool: MachinePool, leaving: Sequence[Machine]) -> None:
    present = Machine.objects.present().filter(pool=pool).exclude(pk__in=[machine.pk for machine in leaving])
    staying = present.exclude(state=MachineState.DELETING).count()
    if staying and staying != pool.size and (pool.is_worker or staying in MASTER_SIZES):
        MachinePool.objects.filter(pk=pool.pk).update(size=staying)


def note_in_audit(cluster: Cluster, *, action: str, by: User | None, **detail: Any) -> None:
    """The portal's own decisions are told as events, not as somebody's deeds."""
    if by is None:
        return
    audit.record(
        by=by,
        action=action,
        obj_kind="cluster",
        obj_id=cluster.pk,
        obj_name=cluster.name,
        tenant=cluster.tenant,
        project=cluster.project,
        **detail,
    )
