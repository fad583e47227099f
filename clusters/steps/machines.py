"""One virtual machine: cloned once, configured, powered on, reachable, and without secrets in the end.

vCenter cannot be fenced, so each step looks first: by our instance UUID, then for a clone that was started
but whose answer got lost. A machine with our name and another UUID is never touched.
"""

from dataclasses import replace
from datetime import timedelta

from django.utils import timezone

from clusters.documents import clone_spec, guest_documents
from clusters.models import AddressAllocation, Machine
from clusters.states import MachineState
from clusters.steps.work import SAFETY_SECONDS, TASK_SAFETY_SECONDS, Work, step, update_machine
from clusters.tokens import report_token, token_digest
from palette_portal.bootstrap.guestinfo import blank_guestinfo
from palette_portal.orchestration.models import Severity, Step
from palette_portal.orchestration.outcomes import Done, Note, Outcome, Wait
from palette_portal.vsphere.machines import (
    VirtualMachine,
    differences,
    find_machine,
    find_template,
    set_extra_config,
    start_clone,
    start_power_on,
    start_reconfigure,
)
from palette_portal.vsphere.tasks import find_recent_clone

SLOW_GUEST = timedelta(minutes=5)
# Powering on takes about a second; the watcher, which rings at its end, has seen it begin by then.
POWER_ON_LOOK_SECONDS = 1.5


@step
def ensure_machine_cloned(work: Work) -> Outcome:
    machine, message = work.machine, f"vCenter is cloning {work.machine.image_template}."
    if busy := work.open_task(message):
        return busy
    vm, lost = find_machine(work.vcenter, clone_spec(machine)), None
    if vm is None and work.context.attempt > 1:
        lost = _lost_clone(work)
        # One that ended since the first look is found by this one.
        vm = None if lost else find_machine(work.vcenter, clone_spec(machine))
    if vm is None:
        task_moid = lost or _start_clone(work)
        busy = work.follow(task_moid, message, first_look_seconds=TASK_SAFETY_SECONDS)
        return replace(busy, write=lambda: update_machine(machine.id, MachineState.PROVISIONING))
    return _cloned(machine, vm)


def _lost_clone(work: Work) -> str | None:
    """The running task of a clone that an earlier attempt started, and whose answer or reference got lost."""
    clone = find_recent_clone(work.vcenter, _template_moid(work), work.machine.name)
    return clone.task.moid if clone and not clone.task.is_over else None


def _start_clone(work: Work) -> str:
    template_moid = _template_moid(work)
    work.context.still_mine()
    return start_clone(work.vcenter, template_moid, clone_spec(work.machine))


def _template_moid(work: Work) -> str:
    cluster = work.cluster
    template = find_template(
        work.vcenter, cluster.datacenter_moid, cluster.image_folder, work.machine.image_template
    )
    return template.moid


def _cloned(machine: Machine, vm: VirtualMachine) -> Done:
    def write() -> None:
        update_machine(machine.id, MachineState.PROVISIONING, moid=vm.moid, bios_uuid=vm.bios_uuid)

    message = f"{machine.name} was cloned from {machine.image_template}."
    return Done(message, (_note("MachineCloned", message, machine),), write)


@step
def ensure_machine_configured(work: Work) -> Outcome:
    """Hardware first: a network card that is replaced gets the MAC address that the documents name."""
    machine, message = work.machine, "vCenter is configuring the virtual machine."
    if busy := work.open_task(message):
        return busy
    vm, spec = work.find_vm(), clone_spec(machine)
    if differences(vm, spec):
        work.context.still_mine()
        if busy := work.follow_quick(start_reconfigure(work.vcenter, vm.moid, spec, vm), message):
            return busy
        vm = work.find_vm()
    mac_address = vm.nics[0].mac_address if vm.nics else ""
    documents = guest_documents(machine, mac_address=mac_address)
    complete = replace(spec, extra_config={**spec.extra_config, **documents})
    if differences(vm, complete):
        work.context.still_mine()
        if busy := work.follow_quick(start_reconfigure(work.vcenter, vm.moid, complete, vm), message):
            return busy
    return _configured(machine, mac_address)


def _configured(machine: Machine, mac_address: str) -> Done:
    digest = token_digest(report_token(machine).reveal())
    pool = machine.pool
    size = f"{pool.num_cpus} vCPU, {pool.memory_mib // 1024} GB memory, {pool.disk_gib} GB disk"
    return Done(
        size,
        (_note("MachineConfigured", f"{machine.name} has {size}.", machine),),
        lambda: update_machine(machine.id, mac_address=mac_address, report_token_hash=digest),
    )


@step
def ensure_machine_powered_on(work: Work) -> Outcome:
    machine, message = work.machine, "vCenter is powering the virtual machine on."
    if busy := work.open_task(message):
        return busy
    vm = work.find_vm()
    if not vm.is_on:
        work.context.still_mine()
        task_moid = start_power_on(work.vcenter, vm.moid)
        if busy := work.follow(task_moid, message, first_look_seconds=POWER_ON_LOOK_SECONDS):
            return busy
        vm = work.find_vm()
    where = f"{machine.name} {f'runs on {vm.host_name}' if vm.host_name else 'is powered on'}."
    return Done(
        where,
        (_note("MachinePoweredOn", where, machine),),
        lambda: update_machine(machine.id, host_name=vm.host_name),
    )


@step
def wait_for_guest_address(work: Work) -> Outcome:
    """The node's own report says it as well as VMware Tools do, and often sooner."""
    machine = work.machine
    if machine.ip_address and machine.phase:
        return _addressed(machine, machine.ip_address)
    vm = work.find_vm()
    address = _usable_address(machine, vm)
    if address:
        return _addressed(machine, address)
    return _still_waiting(work, vm)


def _usable_address(machine: Machine, vm: VirtualMachine) -> str:
    if machine.cluster.address_allocation == AddressAllocation.STATIC:
        return str(machine.ip_address) if machine.ip_address in vm.ip_addresses else ""
    return vm.ip_addresses[0] if vm.ip_addresses else ""


def _addressed(machine: Machine, address: str) -> Done:
    return Done(
        address,
        (_note("AddressReported", f"{machine.name} answers at {address}.", machine),),
        lambda: update_machine(machine.id, MachineState.PROVISIONED, ip_address=address),
    )


def _still_waiting(work: Work, vm: VirtualMachine) -> Wait:
    machine = work.machine
    row = Step.objects.get(pk=work.context.step_id)
    began = row.first_started_at or timezone.now()
    if timezone.now() - began < SLOW_GUEST:
        message = f"{machine.name} is booting."
        return Wait(SAFETY_SECONDS, message, "WaitingForAddress", external_ref=machine.wake_reference)
    sentence = f"{machine.name} is taking longer than usual: {_what_is_seen(machine, vm)}"
    notes = () if row.reason == "SlowGuest" else (_warning("SlowGuest", sentence, machine),)
    return Wait(SAFETY_SECONDS, sentence, "SlowGuest", external_ref=machine.wake_reference, notes=notes)


def _what_is_seen(machine: Machine, vm: VirtualMachine) -> str:
    network = machine.placement.network_name
    if not vm.is_on:
        return "it is powered off in vCenter. Power it on there."
    if vm.ip_addresses:
        return (
            f"its guest has {', '.join(vm.ip_addresses)}, but {machine.ip_address} was given to it. "
            "Look at its console in vCenter."
        )
    if not vm.tools_running:
        return "VMware Tools do not run in its guest yet. Look at its console in vCenter."
    if machine.cluster.address_allocation == AddressAllocation.DHCP:
        return f"its guest has no IP address. Check that a DHCP server answers on the network {network}."
    return (
        f"its guest has no IP address. Check the network {network} and whether {machine.ip_address} "
        "is free on it."
    )


@step
def ensure_guestinfo_blanked(work: Work) -> Outcome:
    message = "vCenter is removing the node's documents."
    if busy := work.open_task(message):
        return busy
    vm, blank = work.find_vm(), blank_guestinfo()
    if any(vm.extra_config.get(key, "") != value for key, value in blank.items()):
        work.context.still_mine()
        if busy := work.follow_quick(set_extra_config(work.vcenter, vm.moid, blank), message):
            return busy
    gone = f"No secret of {work.machine.name} is readable in vCenter."
    return Done(gone, (_note("SecretsRemoved", gone, work.machine),))


def _note(reason: str, message: str, machine: Machine) -> Note:
    return Note(Severity.INFO, reason, message, "machine", machine.name)


def _warning(reason: str, message: str, machine: Machine) -> Note:
    return Note(Severity.WARNING, reason, message, "machine", machine.name)
