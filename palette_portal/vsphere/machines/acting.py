from collections.abc import Mapping, Sequence
from typing import Any

from palette_portal.vsphere.errors import InvalidConfiguration, InvalidState, NotFound
from palette_portal.vsphere.machines.comparing import (
    KIB_PER_GIB,
    differences,
    disk_to_grow,
    foreign_disks,
    has_networks,
    missing_extra_config,
)
from palette_portal.vsphere.machines.looking import read_machine
from palette_portal.vsphere.machines.values import CloneSpec, VirtualMachine
from palette_portal.vsphere.properties import Properties, collect, moid_of, read_one
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.vmomi import vim

FIRST_NEW_KEY = -100

DeviceSpec = vim.vm.device.VirtualDeviceSpec
EthernetCard = vim.vm.device.VirtualEthernetCard


def start_clone(vcenter: VCenter, template_moid: str, spec: CloneSpec) -> str:
    """Start one full clone, powered off. The caller has looked for the instance UUID before."""
    devices = _devices(vcenter, template_moid)
    clone = vim.vm.CloneSpec(
        location=vim.vm.RelocateSpec(
            folder=vcenter.managed("Folder", spec.folder_moid),
            pool=vcenter.managed("ResourcePool", spec.resource_pool_moid),
            datastore=vcenter.managed("Datastore", spec.datastore_moid),
            diskMoveType="moveAllDiskBackingsAndConsolidate",
        ),
        config=_new_machine_config(vcenter, spec, devices),
        powerOn=False,
        template=False,
    )
    template = vcenter.managed("VirtualMachine", template_moid)
    return moid_of(template.CloneVM_Task(vcenter.managed("Folder", spec.folder_moid), spec.name, clone))


def start_reconfigure(vcenter: VCenter, vm_moid: str, want: CloneSpec, have: VirtualMachine) -> str | None:
    """Change what differs and nothing else; None when nothing does."""
    different = differences(have, want)
    if not different:
        return None
    return _reconfigure(vcenter, vm_moid, _changes(vcenter, want, have, different))


def set_extra_config(vcenter: VCenter, vm_moid: str, values: Mapping[str, str]) -> str:
    """Set keys; an empty value removes the key (or blanks it)."""
    return _reconfigure(vcenter, vm_moid, vim.vm.ConfigSpec(extraConfig=_options(values)))


def start_power_on(vcenter: VCenter, vm_moid: str) -> str | None:
    """None when it is on already."""
    return _power(vcenter, vm_moid, "PowerOnVM_Task", "poweredOn")


def start_power_off(vcenter: VCenter, vm_moid: str) -> str | None:
    """None when it is off already."""
    return _power(vcenter, vm_moid, "PowerOffVM_Task", "poweredOff")


def start_detach(vcenter: VCenter, vm_moid: str, disk_keys: Sequence[int]) -> str:
    """Take disks off the machine and keep their files."""
    changes = [
        DeviceSpec(operation="remove", device=device)
        for device in _devices(vcenter, vm_moid)
        if device.key in disk_keys
    ]
    return _reconfigure(vcenter, vm_moid, vim.vm.ConfigSpec(deviceChange=changes))


def start_destroy(vcenter: VCenter, machine: VirtualMachine) -> str | None:
    """Destroy a machine that is off and has only its own disks; None when it is gone already."""
    _check_destroyable(machine)
    try:
        current = read_machine(vcenter, machine.moid)
        _check_same(machine, current)
        _check_destroyable(current)
        return moid_of(vcenter.managed("VirtualMachine", machine.moid).Destroy_Task())
    except NotFound:
        return None


def _check_same(expected: VirtualMachine, current: VirtualMachine) -> None:
    if current.instance_uuid != expected.instance_uuid:
        raise InvalidState(f"“{current.name}” is not the machine that was to be destroyed.")


def _check_destroyable(machine: VirtualMachine) -> None:
    if machine.power_state != "poweredOff":
        raise InvalidState(f"“{machine.name}” must be powered off before it is destroyed.")
    if foreign := foreign_disks(machine):
        names = ", ".join(disk.file_name for disk in foreign)
        raise InvalidState(f"“{machine.name}” still has disks that are not its own: {names}.")


def _power(vcenter: VCenter, vm_moid: str, method: str, wanted: str) -> str | None:
    if _power_state(vcenter, vm_moid) == wanted:
        return None
    try:
        return moid_of(getattr(vcenter.managed("VirtualMachine", vm_moid), method)())
    except InvalidState:
        if _power_state(vcenter, vm_moid) == wanted:  # somebody was faster
            return None
        raise


def _power_state(vcenter: VCenter, vm_moid: str) -> str:
    found = read_one(vcenter, "VirtualMachine", vm_moid, ["runtime.powerState"])
    return str(found.get("runtime.powerState", ""))


def _reconfigure(vcenter: VCenter, vm_moid: str, spec: Any) -> str:
    return moid_of(vcenter.managed("VirtualMachine", vm_moid).ReconfigVM_Task(spec))


def _new_machine_config(vcenter: VCenter, spec: CloneSpec, devices: Sequence[Any]) -> Any:
    return vim.vm.ConfigSpec(
        instanceUuid=spec.instance_uuid,
        annotation=spec.annotation,
        numCPUs=spec.num_cpus,
        memoryMB=spec.memory_mib,
        flags=vim.vm.FlagInfo(diskUuidEnabled=True),
        vAppConfigRemoved=True,
        extraConfig=_options(spec.extra_config),
        deviceChange=[
            *_grown_disk(devices, spec),
            *_replaced_nics(vcenter, devices, spec),
        ],
    )


def _changes(vcenter: VCenter, want: CloneSpec, have: VirtualMachine, different: Sequence[str]) -> Any:
    spec = vim.vm.ConfigSpec()
    if "num_cpus" in different:
        spec.numCPUs = want.num_cpus
    if "memory_mib" in different:
        spec.memoryMB = want.memory_mib
    if "annotation" in different:
        spec.annotation = want.annotation
    if "disk_uuid_enabled" in different:
        spec.flags = vim.vm.FlagInfo(diskUuidEnabled=True)
    spec.extraConfig = _options(missing_extra_config(have, want))
    spec.deviceChange = _device_changes(vcenter, want, have)
    return spec


def _device_changes(vcenter: VCenter, want: CloneSpec, have: VirtualMachine) -> list[Any]:
    grow, replace = disk_to_grow(have, want) is not None, not has_networks(have, want)
    if not (grow or replace):
        return []
    devices = _devices(vcenter, have.moid)
    return [
        *(_grown_disk(devices, want) if grow else ()),
        *(_replaced_nics(vcenter, devices, want) if replace else ()),
    ]


def _devices(vcenter: VCenter, vm_moid: str) -> list[Any]:
    found = read_one(vcenter, "VirtualMachine", vm_moid, ["config.hardware.device"])
    return list(found.get("config.hardware.device", ()))


def _grown_disk(devices: Sequence[Any], spec: CloneSpec) -> list[Any]:
    disk = next((device for device in devices if isinstance(device, vim.vm.device.VirtualDisk)), None)
    wanted_kib = spec.disk_gib * KIB_PER_GIB
    if disk is None or disk.capacityInKB >= wanted_kib:
        return []
    disk.capacityInKB = wanted_kib
    disk.capacityInBytes = wanted_kib * 1024
    return [DeviceSpec(operation="edit", device=disk)]


def _replaced_nics(vcenter: VCenter, devices: Sequence[Any], spec: CloneSpec) -> list[Any]:
    old = [device for device in devices if isinstance(device, EthernetCard)]
    backings = _network_backings(vcenter, spec.network_moids)
    return [
        *(DeviceSpec(operation="remove", device=device) for device in old),
        *(
            DeviceSpec(operation="add", device=_nic(FIRST_NEW_KEY - number, backing))
            for number, backing in enumerate(backings)
        ),
    ]


def _nic(key: int, backing: Any) -> Any:
    return vim.vm.device.VirtualVmxnet3(
        key=key,
        backing=backing,
        addressType="generated",
        wakeOnLanEnabled=True,
        connectable=vim.vm.device.VirtualDevice.ConnectInfo(
            startConnected=True, allowGuestControl=True, connected=False
        ),
    )


def _network_backings(vcenter: VCenter, network_moids: Sequence[str]) -> list[Any]:
    networks = {moid: _read_network(vcenter, moid) for moid in dict.fromkeys(network_moids)}
    return [_network_backing(vcenter, networks[moid]) for moid in network_moids]


def _read_network(vcenter: VCenter, moid: str) -> Properties:
    if moid.startswith("dvportgroup-"):
        paths = ["name", "key", "config.distributedVirtualSwitch"]
        return read_one(vcenter, "DistributedVirtualPortgroup", moid, paths)
    return next(collect(vcenter, [vcenter.managed("Network", moid)], {"Network": ["name"]}))


def _network_backing(vcenter: VCenter, network: Properties) -> Any:
    if network.kind == "OpaqueNetwork":
        raise InvalidConfiguration(f"Network “{network.get('name')}” is an opaque network: not supported.")
    if network.kind != "DistributedVirtualPortgroup":
        return EthernetCard.NetworkBackingInfo(
            deviceName=network.get("name", ""), network=vcenter.managed("Network", network.moid)
        )
    switch_moid = network.moid_at("config.distributedVirtualSwitch")
    switch = read_one(vcenter, "DistributedVirtualSwitch", switch_moid, ["uuid"])
    connection = vim.dvs.PortConnection(switchUuid=switch.get("uuid", ""), portgroupKey=network.get("key"))
    return EthernetCard.DistributedVirtualPortBackingInfo(port=connection)


def _options(values: Mapping[str, str]) -> list[Any]:
    return [vim.option.OptionValue(key=key, value=value) for key, value in values.items()]
