"""An orphan goes only while it is one: our marks, the UUID we gave it, and no machine here to own it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps

from django.utils import timezone

from clusters.documents import CLUSTER_MARK, MACHINE_MARK
from clusters.models import Leftover, LeftoverKind, Machine
from clusters.steps.work import StepFunction, Work
from gateways.logins import note_refusal
from gateways.models import CloudAccount
from ippools.actions.claims import release
from ippools.models import IPAddressClaim
from palette_portal.orchestration.models import Severity
from palette_portal.orchestration.outcomes import Done, Failed, Note, Outcome, Retry, Wait
from palette_portal.orchestration.steps import StepContext
from palette_portal.vsphere.errors import VSphereError
from palette_portal.vsphere.machines import (
    VirtualMachine,
    find_by_instance_uuid,
    foreign_disks,
    has_marks,
    start_destroy,
    start_detach,
    start_power_off,
)

GONE_AGAIN_SECONDS = 3
GONE_ONCE = "gone-once"
REMOVING = "vCenter is removing the virtual machine."


@dataclass(frozen=True)
class OrphanWork(Work):
    """One attempt; the operation is about the cloud account."""

    @cached_property
    def account(self) -> CloudAccount:
        return CloudAccount.objects.get(pk=self.context.subject.id)

    @property
    def name(self) -> str:
        return str(self.context.arguments["name"])

    @property
    def machine_id(self) -> str:
        return str(self.context.arguments["machine"])

    @property
    def marks(self) -> dict[str, str]:
        return {CLUSTER_MARK: str(self.context.arguments["cluster"]), MACHINE_MARK: self.machine_id}


def orphan_step(function: Callable[[OrphanWork], Outcome]) -> StepFunction:
    @wraps(function)
    def run(context: StepContext) -> Outcome:
        work = OrphanWork(context)
        try:
            return function(work)
        except VSphereError as error:
            note_refusal(work.account, error)
            retry = Retry.SOON if error.transient else Retry.SLOWLY
            return Failed(error.reason, error.sentence, error.hint, retry)

    return run


@orphan_step
def ensure_orphan_removed(work: OrphanWork) -> Outcome:
    if busy := work.open_task(REMOVING):
        return busy
    if Machine.objects.present().filter(pk=work.machine_id, cluster__deleted_at=None).exists():
        return _left_alone(work, "It has an owner again.")
    vm = find_by_instance_uuid(work.vcenter, work.machine_id)
    if vm is not None and not has_marks(vm, work.marks):
        return _left_alone(work, "It does not carry the portal's marks any more.")
    if vm is not None:
        return _take_down(work, vm)
    if work.context.external_ref != GONE_ONCE:
        message = f"{work.name} is gone. vCenter is asked once more."
        return Wait(GONE_AGAIN_SECONDS, message, "GoneOnce", external_ref=GONE_ONCE)
    return _removed(work)


def _take_down(work: OrphanWork, vm: VirtualMachine) -> Wait:
    work.context.still_mine()
    if vm.power_state != "poweredOff":
        busy = work.follow(start_power_off(work.vcenter, vm.moid), "vCenter is powering it off.")
    elif disks := foreign_disks(vm):
        keys = [disk.key for disk in disks]
        busy = work.follow(start_detach(work.vcenter, vm.moid, keys), "vCenter is detaching its volumes.")
    else:
        busy = work.follow(start_destroy(work.vcenter, vm), REMOVING)
    return busy or Wait(0, "vCenter has done it. Looking at the virtual machine again.")


def _removed(work: OrphanWork) -> Done:
    machine_id = work.machine_id

    def write() -> None:
        release(IPAddressClaim.objects.held().filter(owner_id=machine_id))
        rows = Leftover.objects.filter(kind=LeftoverKind.MACHINE, instance_uuid=machine_id, gone_at=None)
        rows.update(gone_at=timezone.now(), checked_at=timezone.now())

    message = f"{work.name} is removed from vCenter."
    return Done(message, (Note(Severity.INFO, "OrphanRemoved", message, "machine", work.name),), write)


def _left_alone(work: OrphanWork, why: str) -> Done:
    message = f"{work.name} is left alone. {why}"
    return Done(message, (Note(Severity.WARNING, "OrphanLeft", message, "machine", work.name),))
