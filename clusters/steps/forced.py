"""A forced deletion: everything is tried once more, nothing is waited for, and what remains is listed.

No step here fails, because nobody would come back to it. Whatever is not proven gone counts as still there:
its address is kept until `clusters.actions.leftovers` finds that it is gone.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone

from clusters.actions.secrets import forget_secrets
from clusters.models import Cluster, Leftover, Machine, PoolRole
from clusters.states import ClusterState, MachineState, move_cluster, move_machine
from clusters.steps.remains import Remains, remains_of
from clusters.steps.removal import (
    GONE_AGAIN_SECONDS,
    LOOK_AGAIN_SECONDS,
    find_vm_of,
    gone_once,
    open_tasks,
    released,
    take_down,
    was_begun,
)
from clusters.steps.work import StepFunction, Work
from gateways.logins import note_refusal
from ippools.actions import release_addresses
from ippools.models import IPAddressClaim
from palette_portal.orchestration.models import Severity, Step
from palette_portal.orchestration.outcomes import Done, Note, Outcome, Wait
from palette_portal.orchestration.steps import StepContext
from palette_portal.vsphere.errors import VSphereError
from palette_portal.vsphere.tasks import cancel_task

PATIENCE = timedelta(seconds=20)


def last_try(function: Callable[[Work], Outcome]) -> StepFunction:
    """What vCenter refuses is given up; where it does not answer it is asked again for some seconds."""

    @wraps(function)
    def run(context: StepContext) -> Outcome:
        work = Work(context)
        if not _has_time(work):
            return _given_up(work, f"It was not removed within {PATIENCE.total_seconds():.0f} seconds.")
        try:
            return function(work)
        except VSphereError as error:
            note_refusal(work.account, error)
            if error.transient:
                return Wait(LOOK_AGAIN_SECONDS, error.sentence, error.reason)
            return _given_up(work, error.sentence)

    return run


@last_try
def ensure_tried_once_more(work: Work) -> Outcome:
    machine = work.machine
    if not was_begun(work, machine):
        return released(machine)
    if busy := work.open_task("vCenter is removing the virtual machine."):
        return busy
    if vm := find_vm_of(work, machine):
        return take_down(work, vm)
    if task_moid := next(open_tasks(work), None):
        work.context.still_mine()
        cancel_task(work.vcenter, task_moid)
        return Wait(LOOK_AGAIN_SECONDS, "A vSphere task is still making it.", "WaitingForTask")
    if work.context.external_ref != gone_once(machine):
        message = f"{machine.name} is gone. vCenter is asked once more before its address is released."
        return Wait(GONE_AGAIN_SECONDS, message, "GoneOnce", external_ref=gone_once(machine))
    return released(machine)


def ensure_forgotten(context: StepContext) -> Outcome:
    """The cluster is Deleted for the portal. Machines that are not Deleted by now may still exist."""
    work = Work(context)
    cluster = work.cluster
    left = list(Machine.objects.present().filter(cluster=cluster).select_related("pool", "placement"))
    remains = remains_of(work, left)

    def write() -> None:
        _forget(cluster, left, remains)

    return Done(_summary(cluster, remains), _notes(cluster, remains), write)


def _forget(cluster: Cluster, left: list[Machine], remains: list[Remains]) -> None:
    rows = [remain.as_row(cluster) for remain in remains] + _kept_addresses(cluster, left)
    Leftover.objects.bulk_create(rows, ignore_conflicts=True)
    for machine in Machine.objects.select_for_update().filter(pk__in=[machine.pk for machine in left]):
        if machine.state != MachineState.DELETED:
            move_machine(machine, MachineState.DELETED)
    release_addresses(cluster_id=cluster.pk, keep=_keepers(cluster, left))
    forget_secrets(cluster)
    fresh = Cluster.objects.select_for_update().get(pk=cluster.pk)
    if fresh.state == ClusterState.DELETING:
        move_cluster(fresh, ClusterState.DELETED, deleted_at=timezone.now())


def _keepers(cluster: Cluster, left: list[Machine]) -> set[UUID]:
    """Owners whose addresses may be in use: machines, and the cluster itself while a master may run."""
    has_master = any(machine.pool.role == PoolRole.CONTROL_PLANE for machine in left)
    return {machine.pk for machine in left} | ({cluster.pk} if has_master else set())


def _kept_addresses(cluster: Cluster, left: list[Machine]) -> list[Leftover]:
    held = IPAddressClaim.objects.held().filter(cluster_id=cluster.pk, owner_id__in=_keepers(cluster, left))
    return [
        Remains.of_address(claim.address, pool=claim.pool.name, owner=claim.owner_name).as_row(cluster)
        for claim in held.select_related("pool")
    ]


def _summary(cluster: Cluster, remains: list[Remains]) -> str:
    if not remains:
        return f"{cluster.name} is deleted, and nothing of it was found on vCenter."
    return f"{cluster.name} is deleted here. {len(remains)} of its things may remain on vCenter."


def _notes(cluster: Cluster, remains: list[Remains]) -> tuple[Note, ...]:
    severity = Severity.WARNING if remains else Severity.INFO
    return (
        Note(severity, "ClusterForgotten", _summary(cluster, remains)),
        *(
            Note(
                Severity.WARNING,
                "LeftOnVCenter",
                f"{remain.kind.label} {remain.name} may remain: {remain.path}.",
                remain.kind,
                remain.name,
            )
            for remain in remains
        ),
    )


def _has_time(work: Work) -> bool:
    mine = Step.objects.filter(pk=work.context.step_id)
    return mine.filter(first_started_at__gt=Now() - PATIENCE).exists()


def _given_up(work: Work, why: str) -> Done:
    name = work.machine.name
    message = f"{name} is given up. {why}"
    return Done(message, (Note(Severity.WARNING, "GivenUp", message, "machine", name),))
