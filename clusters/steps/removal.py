"""Nothing of ours stays in vCenter, nothing of anybody else is touched, and no address is freed too early.

Machines are found by the UUIDs we chose and by our marks, not by what we remember having made: a clone whose
answer was lost, or that still runs, is found too. Each step may run at any moment, also twice.
"""

from collections.abc import Iterator
from dataclasses import replace

from django.utils import timezone

from clusters.actions.secrets import forget_secrets
from clusters.documents import CLUSTER_MARK, NODE_ADDRESS, clone_spec
from clusters.models import Cluster, Machine
from clusters.states import ClusterState, MachineState, move_cluster
from clusters.steps.belongings import tell_volumes
from clusters.steps.work import TASK_REFERENCE, Work, step, task_reference, update_machine
from ippools.actions import release_address, release_addresses
from ippools.models import IPAddressClaim
from palette_portal.orchestration.models import Severity, Step, StepQuerySet, StepState
from palette_portal.orchestration.outcomes import Done, Note, Outcome, Wait
from palette_portal.vsphere.errors import NotFound
from palette_portal.vsphere.machines import (
    Identity,
    VirtualMachine,
    find_annotated,
    find_remains,
    find_template,
    foreign_disks,
    has_marks,
    is_ours,
    start_destroy,
    start_detach,
    start_power_off,
)
from palette_portal.vsphere.tasks import cancel_task, find_recent_clone, read_task

LOOK_AGAIN_SECONDS = 1
# Between the two looks that must both find nothing: a host or a datastore may be away for a moment.
GONE_AGAIN_SECONDS = 3
CLONE_FUNCTION = "clusters.steps.machines.ensure_machine_cloned"
POWERING_OFF = "vCenter is powering the virtual machine off."
DETACHING = "vCenter is detaching disks that are not the machine's own. Their files stay."
DESTROYING = "vCenter is removing the virtual machine."


@step
def ensure_earlier_steps_ended(work: Work) -> Outcome:
    running = _earlier_steps(work).held()
    titles = list(dict.fromkeys(running.values_list("title", flat=True)))
    if titles:
        return Wait(
            LOOK_AGAIN_SECONDS, f"Waiting until this has ended: {', '.join(titles)}.", "WaitingForSteps"
        )
    return _done("EarlierStepsEnded", f"Nothing else works on {work.cluster.name} now.")


@step
def ensure_machine_tasks_ended(work: Work) -> Outcome:
    if not was_begun(work, work.machine):
        return _done("TasksEnded", f"No virtual machine was made for {work.machine.name}.", work.machine)
    task_moid = next(open_tasks(work), None)
    if task_moid is None:
        return _done("TasksEnded", f"No vSphere task works on {work.machine.name}.", work.machine)
    work.context.still_mine()
    cancel_task(work.vcenter, task_moid)
    message = "vCenter is stopping what it does with the virtual machine."
    reference = task_reference(work.account.pk, task_moid)
    return Wait(LOOK_AGAIN_SECONDS, message, "WaitingForTask", external_ref=reference)


@step
def ensure_machine_powered_off(work: Work) -> Outcome:
    if busy := work.open_task(POWERING_OFF):
        return busy
    vm = find_vm_of(work, work.machine)
    if vm is not None and vm.power_state != "poweredOff":
        return take_down(work, vm)
    message = f"{vm.name} is off." if vm else f"{work.machine.name} has no virtual machine."
    return _done("MachinePoweredOff", message, work.machine)


@step
def ensure_machine_destroyed(work: Work) -> Outcome:
    if busy := work.open_task(DESTROYING):
        return busy
    if vm := find_vm_of(work, work.machine):
        return take_down(work, vm)
    return _done("MachineDestroyed", f"{work.machine.name} has no virtual machine any more.", work.machine)


@step
def ensure_machine_gone(work: Work) -> Outcome:
    """Neither its UUIDs nor its marks nor a clone under way, seen twice: now nobody uses the address."""
    machine = work.machine
    if was_begun(work, machine):
        if busy := work.open_task(DESTROYING) or _not_gone(work):
            return busy
        if work.context.external_ref != gone_once(machine):
            message = f"{machine.name} is gone. vCenter is asked once more before its address is released."
            reference = gone_once(machine)
            return Wait(GONE_AGAIN_SECONDS, message, "GoneOnce", external_ref=reference)
    return released(machine)


def _not_gone(work: Work) -> Wait | None:
    vm = find_vm_of(work, work.machine)
    if vm is None and next(open_tasks(work), None) is None:
        return None
    work.context.keep_reference("")
    if vm is None:
        return Wait(LOOK_AGAIN_SECONDS, "A vSphere task is still making it.", "WaitingForTask")
    return take_down(work, vm)


def released(machine: Machine) -> Done:
    def write() -> None:
        update_machine(machine.id, MachineState.DELETED)
        release_address(owner_id=machine.id, purpose=NODE_ADDRESS)

    address = f" {machine.ip_address} is free." if machine.ip_address else ""
    done = _done("MachineDeleted", f"{machine.name} is not in vCenter any more.{address}", machine)
    return replace(done, write=write)


@step
def ensure_nothing_left(work: Work) -> Outcome:
    """Machines with the cluster's mark that nobody expects: ours go, copies that somebody made stay."""
    machines = list(
        Machine.objects.filter(cluster=work.cluster).select_related("cluster", "pool", "placement")
    )
    if not any(was_begun(work, machine) for machine in machines):
        return _done("NothingLeft", f"Nothing of {work.cluster.name} was made in vCenter.")
    if busy := work.open_task(DESTROYING):
        return busy
    marked = list(_marked_vms(work))
    identities = [identity_of(machine) for machine in machines]
    for vm in marked:
        if any(is_ours(vm, identity) for identity in identities):
            return take_down(work, vm)
    done = _done("NothingLeft", f"vCenter holds nothing of {work.cluster.name} any more.")
    return replace(done, notes=(*done.notes, *(_copy_note(vm) for vm in marked)))


@step
def ensure_addresses_released(work: Work) -> Outcome:
    cluster_id = work.cluster.pk
    held = IPAddressClaim.objects.held().filter(cluster_id=cluster_id)
    listed = ", ".join(held.values_list("address", flat=True))
    message = f"{listed} is free." if listed else f"{work.cluster.name} holds no address any more."

    def write() -> None:
        release_addresses(cluster_id=cluster_id)

    return replace(_done("AddressesReleased", message), write=write)


@step
def ensure_cluster_deleted(work: Work) -> Outcome:
    cluster = work.cluster

    def write() -> None:
        fresh = Cluster.objects.select_for_update().get(pk=cluster.pk)
        if fresh.state == ClusterState.DELETING:
            move_cluster(fresh, ClusterState.DELETED, deleted_at=timezone.now())
        forget_secrets(cluster)

    sentence = f"{cluster.name} is deleted: its virtual machines are gone and its addresses are free."
    return Done("The cluster is deleted.", (Note(Severity.INFO, "ClusterDeleted", sentence),), write)


def take_down(work: Work, vm: VirtualMachine) -> Wait:
    """Start the next one of: power off, detach what is not its own, destroy."""
    work.context.still_mine()
    if vm.power_state != "poweredOff":
        busy = work.follow(start_power_off(work.vcenter, vm.moid), POWERING_OFF)
    elif disks := foreign_disks(vm):
        if told := tell_volumes(work, vm, disks):
            return told
        busy = work.follow(start_detach(work.vcenter, vm.moid, [disk.key for disk in disks]), DETACHING)
    else:
        busy = work.follow(start_destroy(work.vcenter, vm), DESTROYING)
    return busy or Wait(0, "vCenter has done it. Looking at the virtual machine again.")


def identity_of(machine: Machine) -> Identity:
    spec = clone_spec(machine)
    return Identity(
        name=spec.name,
        instance_uuid=spec.instance_uuid,
        bios_uuid=machine.bios_uuid,
        moid=machine.moid,
        folder_moid=spec.folder_moid,
        marks=spec.extra_config,
    )


def find_vm_of(work: Work, machine: Machine) -> VirtualMachine | None:
    if not was_begun(work, machine):
        return None
    return find_remains(work.vcenter, identity_of(machine))


def was_begun(work: Work, machine: Machine) -> bool:
    """Without an attempt to clone it there is no virtual machine, and vCenter need not be asked.

    No such step begins any more: the operation that had it is cancelled.
    """
    return _clones(work, machine).exists()


def _clones(work: Work, machine: Machine) -> StepQuerySet:
    clones = Step.objects.of(work.context.subject).filter(function=CLONE_FUNCTION)
    return clones.filter(arguments__machine=str(machine.id), first_started_at__isnull=False)


def _earlier_steps(work: Work) -> StepQuerySet:
    return Step.objects.of(work.context.subject).exclude(operation_id=work.context.operation_id)


def open_tasks(work: Work) -> Iterator[str]:
    """vSphere tasks that still work on the machine: those we know, and a clone whose answer was lost."""
    for task_moid in _known_tasks(work):
        if not _is_over(work, task_moid):
            yield task_moid
    if lost := _lost_clone(work):
        yield lost


def _known_tasks(work: Work) -> list[str]:
    kept = _earlier_steps(work).exclude(state=StepState.DONE)
    mine = kept.filter(arguments__machine=str(work.machine.id), external_ref__startswith=TASK_REFERENCE)
    return [reference.rpartition(":")[2] for reference in mine.values_list("external_ref", flat=True)]


def _is_over(work: Work, task_moid: str) -> bool:
    try:
        return read_task(work.vcenter, task_moid).is_over
    except NotFound:
        return True


def _lost_clone(work: Work) -> str | None:
    """None as well when every clone that was begun came to its end: then none is under way."""
    if not _clones(work, work.machine).exclude(state=StepState.DONE).exists():
        return None
    cluster = work.cluster
    try:
        template = find_template(
            work.vcenter, cluster.datacenter_moid, cluster.image_folder, work.machine.image_template
        )
    except NotFound:  # without a template nothing is cloned from it
        return None
    clone = find_recent_clone(work.vcenter, template.moid, work.machine.name)
    return clone.task.moid if clone else None


def _marked_vms(work: Work) -> Iterator[VirtualMachine]:
    cluster = work.cluster
    for vm in find_annotated(work.vcenter, cluster.datacenter_moid, cluster.name):
        if has_marks(vm, {CLUSTER_MARK: str(cluster.id)}):
            yield vm


def _done(reason: str, message: str, machine: Machine | None = None) -> Done:
    about = ("machine", machine.name) if machine else ("", "")
    return Done(message, (Note(Severity.INFO, reason, message, *about),))


def _copy_note(vm: VirtualMachine) -> Note:
    sentence = (
        f"{vm.name} has the marks of a node of this cluster, but the portal did not make it: somebody copied "
        "the node. It was left alone; remove it in vCenter when it is not needed."
    )
    return Note(Severity.WARNING, "CopyLeft", sentence, "machine", vm.name)


def gone_once(machine: Machine) -> str:
    return f"gone-once:{machine.id}"
