from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any

from palette_portal.vsphere.errors import (
    AmbiguousName,
    HostUnavailable,
    NameTaken,
    NotFound,
    TemplateNotFound,
)
from palette_portal.vsphere.folders import find_folders
from palette_portal.vsphere.inventory import plain_name
from palette_portal.vsphere.machines.values import CloneSpec, Disk, Nic, VirtualMachine
from palette_portal.vsphere.properties import Properties, Traversal, collect, kind_of, moid_of, read_one
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.vmomi import vim

MACHINE_PATHS = (
    "name",
    "parent",
    "config.instanceUuid",
    "config.uuid",
    "config.template",
    "config.annotation",
    "config.extraConfig",
    "config.files.vmPathName",
    "config.flags.diskUuidEnabled",
    "config.hardware.numCPU",
    "config.hardware.memoryMB",
    "config.hardware.device",
    "runtime.powerState",
    "runtime.connectionState",
    "runtime.host",
    "guest.ipAddress",
    "guest.net",
    "guest.toolsRunningStatus",
)


def find_by_instance_uuid(vcenter: VCenter, instance_uuid: str) -> VirtualMachine | None:
    return _find_by_uuid(vcenter, instance_uuid, is_instance_uuid=True)


def find_by_bios_uuid(vcenter: VCenter, bios_uuid: str) -> VirtualMachine | None:
    return _find_by_uuid(vcenter, bios_uuid, is_instance_uuid=False)


def _find_by_uuid(vcenter: VCenter, uuid: str, *, is_instance_uuid: bool) -> VirtualMachine | None:
    return _read_if_there(vcenter, vcenter.content.searchIndex.FindByUuid(None, uuid, True, is_instance_uuid))


def find_in_folder(vcenter: VCenter, folder_moid: str, name: str) -> VirtualMachine | None:
    folder = vcenter.managed("Folder", folder_moid)
    return _read_if_there(vcenter, vcenter.content.searchIndex.FindChild(folder, name))


def names_in_folder(vcenter: VCenter, folder_moid: str) -> frozenset[str]:
    """Of the virtual machines right in it, not of those in folders below."""
    found = collect(
        vcenter,
        [vcenter.managed("Folder", folder_moid)],
        {"VirtualMachine": ["name", "parent"]},
        [Traversal("Folder", "childEntity")],
    )
    inside = (machine for machine in found if machine.moid_at("parent") == folder_moid)
    return frozenset(plain_name(machine.get("name", "")) for machine in inside)


def find_machine(vcenter: VCenter, spec: CloneSpec) -> VirtualMachine | None:
    """Our machine, found by its UUID; NameTaken when another one has its name in the folder."""
    if ours := find_by_instance_uuid(vcenter, spec.instance_uuid):
        return ours
    namesake = find_in_folder(vcenter, spec.folder_moid, spec.name)
    if namesake is None or namesake.instance_uuid == spec.instance_uuid:
        return namesake
    if not namesake.instance_uuid:
        raise HostUnavailable(f"“{spec.name}” is {namesake.connection_state}: whose it is cannot be read.")
    raise NameTaken(
        f"The folder already holds another virtual machine named “{spec.name}” "
        f"(instance UUID {namesake.instance_uuid})."
    )


def is_gone(vcenter: VCenter, *, moid: str, instance_uuid: str, bios_uuid: str) -> bool:
    """Whether none of the three ids finds the machine. Ask twice, some seconds apart, before it counts."""
    search = vcenter.content.searchIndex
    if instance_uuid and search.FindByUuid(None, instance_uuid, True, True) is not None:
        return False
    if bios_uuid and search.FindByUuid(None, bios_uuid, True, False) is not None:
        return False
    return not moid or not _exists(vcenter, moid)


def _exists(vcenter: VCenter, moid: str) -> bool:
    try:
        read_one(vcenter, "VirtualMachine", moid, ["name"])
    except NotFound:
        return False
    return True


def find_template(
    vcenter: VCenter, datacenter_moid: str, folder_name: str, template_name: str
) -> VirtualMachine:
    folders = find_folders(vcenter, datacenter_moid, folder_name)
    if not folders:
        raise TemplateNotFound(f"The datacenter has no folder “{folder_name}” that this account can see.")
    found = [
        template for folder in folders if (template := find_in_folder(vcenter, folder.moid, template_name))
    ]
    if not found:
        raise TemplateNotFound(_missing_sentence(vcenter, folders, folder_name, template_name))
    if len(found) > 1:
        raise AmbiguousName(
            f"Several folders named “{folder_name}” hold a template “{template_name}”.",
            candidates=[template.moid for template in found],
        )
    if not found[0].is_template:
        raise TemplateNotFound(
            f"“{template_name}” in folder “{folder_name}” is a virtual machine, not a template.",
            "Convert it to a template in vCenter.",
        )
    return found[0]


def _missing_sentence(vcenter: VCenter, folders: Sequence[Properties], folder: str, template: str) -> str:
    starts = [vcenter.managed("Folder", found.moid) for found in folders]
    children = collect(
        vcenter,
        starts,
        {"VirtualMachine": ["name", "config.template"]},
        [Traversal("Folder", "childEntity")],
    )
    names = sorted(child.get("name", "") for child in children if child.get("config.template"))
    there = f"It holds {', '.join(names)}." if names else "It holds no templates."
    return f"Folder “{folder}” has no template “{template}”. {there}"


def _read_if_there(vcenter: VCenter, managed: Any) -> VirtualMachine | None:
    if managed is None or kind_of(managed) != "VirtualMachine":
        return None
    try:
        return read_machine(vcenter, moid_of(managed))
    except NotFound:  # gone between the two calls
        return None


def read_machine(vcenter: VCenter, moid: str) -> VirtualMachine:
    """The machine and its host's name in one round trip; NotFound when it is gone."""
    found = list(
        collect(
            vcenter,
            [vcenter.managed("VirtualMachine", moid)],
            {"VirtualMachine": MACHINE_PATHS, "HostSystem": ["name"]},
            [Traversal("VirtualMachine", "runtime.host")],
        )
    )
    host = next((properties for properties in found if properties.kind == "HostSystem"), None)
    machine = next((properties for properties in found if properties.moid == moid), None)
    if machine is None:
        raise NotFound(f"VirtualMachine {moid} no longer exists in vCenter.")
    return _machine(machine, host_name=host.get("name", "") if host else "")


def _machine(found: Properties, *, host_name: str) -> VirtualMachine:
    devices = found.get("config.hardware.device", ())
    return VirtualMachine(
        moid=found.moid,
        name=plain_name(found.get("name", "")),
        instance_uuid=found.get("config.instanceUuid", ""),
        bios_uuid=found.get("config.uuid", ""),
        power_state=found.get("runtime.powerState", "poweredOff"),
        connection_state=found.get("runtime.connectionState", "connected"),
        num_cpus=found.get("config.hardware.numCPU", 0),
        memory_mib=found.get("config.hardware.memoryMB", 0),
        annotation=found.get("config.annotation", ""),
        extra_config={option.key: str(option.value) for option in found.get("config.extraConfig", ())},
        disk_uuid_enabled=bool(found.get("config.flags.diskUuidEnabled", False)),
        disks=tuple(_disk(device) for device in devices if isinstance(device, vim.vm.device.VirtualDisk)),
        nics=tuple(
            _nic(device) for device in devices if isinstance(device, vim.vm.device.VirtualEthernetCard)
        ),
        ip_addresses=tuple(dict.fromkeys(reachable_addresses(found))),
        tools_running=found.get("guest.toolsRunningStatus") == "guestToolsRunning",
        folder_moid=found.moid_at("parent"),
        host_moid=found.moid_at("runtime.host"),
        host_name=host_name,
        file_name=found.get("config.files.vmPathName", ""),
        is_template=bool(found.get("config.template", False)),
    )


def _disk(device: Any) -> Disk:
    datastore = getattr(device.backing, "datastore", None)
    first_class = getattr(device, "vDiskId", None)
    return Disk(
        key=device.key,
        label=_label(device),
        capacity_kib=device.capacityInKB or 0,
        file_name=getattr(device.backing, "fileName", None) or "",
        datastore_moid=moid_of(datastore) if datastore else "",
        first_class_id=first_class.id if first_class else "",
    )


def _nic(device: Any) -> Nic:
    return Nic(
        key=device.key,
        label=_label(device),
        mac_address=device.macAddress or "",
        network_moid=_network_moid(device.backing),
        is_vmxnet3=isinstance(device, vim.vm.device.VirtualVmxnet3),
    )


def _network_moid(backing: Any) -> str:
    """A distributed port group's key is its id; a standard network is referred to directly."""
    if isinstance(backing, vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo):
        return backing.port.portgroupKey or ""
    network = getattr(backing, "network", None)
    return moid_of(network) if network else ""


def _label(device: Any) -> str:
    return str(device.deviceInfo.label) if device.deviceInfo else ""


def reachable_addresses(found: Properties) -> Iterator[str]:
    """Addresses that others can reach the guest at, the one vCenter calls primary first."""
    reported = [found.get("guest.ipAddress", "")]
    for nic in found.get("guest.net", ()):
        reported += nic.ipAddress or ()
    return (address for address in reported if address and _is_reachable(address))


def _is_reachable(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)
