import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateways.installer.ova.archive import write_ova
from gateways.installer.ova.descriptor import Appliance, render
from gateways.installer.ova.disk import GIB, UnusableDisk, check_capacity, read_disk
from gateways.installer.portal import VERSION

# The size field of a ustar header holds eleven octal digits.
_LARGEST_DISK_BYTES = 8 * GIB - 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True)
class Options:
    disk: Path
    output: Path
    name: str
    version: str
    cpus: int
    memory_mib: int
    disk_gib: int


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_options(arguments)
    try:
        pack(options)
    except (UnusableDisk, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.output} is packed, {options.output.stat().st_size} bytes.")
    return 0


def pack(options: Options) -> None:
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


def parse_options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="python3 -m gateways.installer.ova", description="Pack the gateway installer's OVA."
    )
    parser.add_argument(
        "--disk", type=Path, required=True, metavar="BASE.vmdk", help="a streamOptimized disk with Ubuntu"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.ova")
    parser.add_argument("--name", type=_name, default="palette-gateway-installer")
    parser.add_argument("--version", default=VERSION)
    parser.add_argument("--cpus", type=_positive, default=2)
    parser.add_argument("--memory-mib", type=_positive, default=4096)
    parser.add_argument("--disk-gib", type=_positive, default=60, help="the disk's capacity; it is checked")
    return Options(**vars(parser.parse_args(arguments)))


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise argparse.ArgumentTypeError("use up to 60 letters, digits, dots, dashes and underscores")
    return value


def _positive(value: str) -> int:
    if not value.isdecimal() or int(value) == 0:
        raise argparse.ArgumentTypeError(f"{value} is not a whole number above zero")
    return int(value)


if __name__ == "__main__":
    sys.exit(main())
