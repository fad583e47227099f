from dataclasses import dataclass
from pathlib import Path

from gateways.installer.ova.archive import write_ova
from gateways.installer.ova.descriptor import Appliance, render
from gateways.installer.ova.disk import GIB, UnusableDisk, check_capacity, read_disk
from gateways.installer.portal import VERSION

# The size field of a ustar header holds eleven octal digits.
_LARGEST_DISK_BYTES = 8 * GIB - 1


@dataclass(frozen=True)
class Options:
    disk: Path
    output: Path
    name: str = "palette-gateway-installer"
    version: str = VERSION
    cpus: int = 2
    memory_mib: int = 4096
    disk_gib: int = 60


def pack(options: Options) -> None:
    """Raise UnusableDisk or OSError; then an OVA that was there is as before."""
    disk = read_disk(options.disk)
    check_capacity(disk, options.disk_gib)
    if disk.size_bytes > _LARGEST_DISK_BYTES:
        raise UnusableDisk(f"{disk.path.name} is larger than the 8 GiB that fit into an OVA.")
    disk_file = f"{options.name}-disk1.vmdk"
    appliance = Appliance(
        name=options.name,
        version=options.version,
        cpus=options.cpus,
        memory_mib=options.memory_mib,
        disk_gib=options.disk_gib,
        disk_file=disk_file,
        disk_file_bytes=disk.size_bytes,
    )
    write_ova(
        options.output, name=options.name, descriptor=render(appliance), disk_file=disk_file, disk=disk.path
    )
