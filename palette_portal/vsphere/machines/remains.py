"""What is left of a machine of ours, wherever somebody moved it; and what only looks like it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from palette_portal.vsphere.errors import HostUnavailable, NotFound
from palette_portal.vsphere.machines.looking import (
    find_by_bios_uuid,
    find_by_instance_uuid,
    find_in_folder,
    read_machine,
)
from palette_portal.vsphere.machines.values import VirtualMachine
from palette_portal.vsphere.properties import Traversal, collect
from palette_portal.vsphere.session import VCenter


@dataclass(frozen=True)
class Identity:
    """How a machine of ours is known: `marks` are the extraConfig entries that only it has."""

    name: str
    instance_uuid: str
    bios_uuid: str
    moid: str
    folder_moid: str
    marks: Mapping[str, str]


def find_remains(vcenter: VCenter, identity: Identity) -> VirtualMachine | None:
    """The machine by any of its ids or in its place; never one that is somebody else's."""
    for candidate in _candidates(vcenter, identity):
        if is_ours(candidate, identity):
            return candidate
        if _is_unreadable(candidate) and not identity.moid and candidate.name == identity.name:
            raise HostUnavailable(
                f"“{candidate.name}” is {candidate.connection_state}: whose it is cannot be read."
            )
    return None


def is_ours(vm: VirtualMachine, identity: Identity) -> bool:
    """A copy that somebody made of our machine carries its marks too, but neither its name nor its UUIDs."""
    if vm.instance_uuid == identity.instance_uuid:
        return True
    if _is_unreadable(vm):
        return vm.moid == identity.moid
    return has_marks(vm, identity.marks) and _has_same_name_or_bios(vm, identity)


def has_marks(vm: VirtualMachine, marks: Mapping[str, str]) -> bool:
    return bool(marks) and all(vm.extra_config.get(key) == value for key, value in marks.items())


def find_annotated(vcenter: VCenter, datacenter_moid: str, text: str) -> list[VirtualMachine]:
    """Machines of the datacenter whose annotation holds the text. One sweep, and one call for each found."""
    found = collect(
        vcenter,
        [vcenter.managed("Datacenter", datacenter_moid)],
        {"VirtualMachine": ["config.annotation"]},
        [Traversal("Datacenter", "vmFolder"), Traversal("Folder", "childEntity")],
    )
    moids = [machine.moid for machine in found if text in machine.get("config.annotation", "")]
    machines = (_read_if_there(vcenter, moid) for moid in moids)
    return [machine for machine in machines if machine is not None]


def _candidates(vcenter: VCenter, identity: Identity) -> Iterator[VirtualMachine]:
    """One look after the other, and no more than needed."""
    looks: list[Callable[[], VirtualMachine | None]] = [
        lambda: find_by_instance_uuid(vcenter, identity.instance_uuid),
        lambda: find_by_bios_uuid(vcenter, identity.bios_uuid) if identity.bios_uuid else None,
        lambda: _read_if_there(vcenter, identity.moid) if identity.moid else None,
        lambda: _in_folder(vcenter, identity),
    ]
    return (candidate for look in looks if (candidate := look()) is not None)


def _in_folder(vcenter: VCenter, identity: Identity) -> VirtualMachine | None:
    try:
        return find_in_folder(vcenter, identity.folder_moid, identity.name)
    except NotFound:  # the folder itself is gone
        return None


def _read_if_there(vcenter: VCenter, moid: str) -> VirtualMachine | None:
    try:
        return read_machine(vcenter, moid)
    except NotFound:
        return None


def _is_unreadable(vm: VirtualMachine) -> bool:
    """Its host or its storage is away: vCenter knows that it exists and not what it is."""
    return not vm.instance_uuid


def _has_same_name_or_bios(vm: VirtualMachine, identity: Identity) -> bool:
    return vm.name == identity.name or (bool(identity.bios_uuid) and vm.bios_uuid == identity.bios_uuid)
