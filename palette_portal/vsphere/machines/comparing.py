from palette_portal.vsphere.machines.values import CloneSpec, Disk, VirtualMachine

KIB_PER_GIB = 1024 * 1024


def differences(have: VirtualMachine, want: CloneSpec) -> tuple[str, ...]:
    """Names of what a reconfiguration has to change; empty when the machine is as wanted."""
    checks = {
        "num_cpus": have.num_cpus != want.num_cpus,
        "memory_mib": have.memory_mib != want.memory_mib,
        "annotation": have.annotation != want.annotation,
        "disk_uuid_enabled": not have.disk_uuid_enabled,
        "extra_config": bool(missing_extra_config(have, want)),
        "disk_gib": disk_to_grow(have, want) is not None,
        "networks": not has_networks(have, want),
    }
    return tuple(name for name, differs in checks.items() if differs)


def missing_extra_config(have: VirtualMachine, want: CloneSpec) -> dict[str, str]:
    return {key: value for key, value in want.extra_config.items() if have.extra_config.get(key, "") != value}


def disk_to_grow(have: VirtualMachine, want: CloneSpec) -> Disk | None:
    """The first disk if it is too small. A larger one stays: disks never shrink."""
    if have.disks and have.disks[0].capacity_kib < want.disk_gib * KIB_PER_GIB:
        return have.disks[0]
    return None


def has_networks(have: VirtualMachine, want: CloneSpec) -> bool:
    networks = tuple(nic.network_moid for nic in have.nics)
    return networks == want.network_moids and all(nic.is_vmxnet3 for nic in have.nics)


def foreign_disks(machine: VirtualMachine) -> tuple[Disk, ...]:
    """Disks that were attached later (volumes): to be detached before the machine is destroyed."""
    home = _directory(machine.file_name)
    return tuple(disk for disk in machine.disks if disk.first_class_id or home != _directory(disk.file_name))


def _directory(file_name: str) -> str:
    """The folder within its datastore; the machine may have been moved to another datastore."""
    return file_name.partition("] ")[2].rpartition("/")[0]
