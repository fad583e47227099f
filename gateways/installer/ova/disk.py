"""What a VMDK says about itself; see the header of a sparse extent in VMware's Virtual Disk Format 5.0."""

import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

GIB = 2**30
SECTOR = 512
HEADER = struct.Struct("<4sIIQQQQIQQQ?4sH433x")
MAGIC = b"KDMV"
COMPRESSED_WITH_MARKERS = 0x30000
DEFLATE = 1
AT_END = 2**64 - 1
_CREATE_TYPE = re.compile(rb'^createType="(\w+)"', re.MULTILINE)


class UnusableDisk(ValueError):
    """The message is for the person who packs the OVA."""


@dataclass(frozen=True)
class Disk:
    path: Path
    size_bytes: int
    capacity_bytes: int


def read_disk(path: Path) -> Disk:
    """Raise UnusableDisk unless this is a whole streamOptimized VMDK: vSphere imports no other."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        capacity = _check(file, path.name, size)
    return Disk(path=path, size_bytes=size, capacity_bytes=capacity)


def check_capacity(disk: Disk, gib: int) -> None:
    """The descriptor must not promise a size that the disk's own header denies."""
    if disk.capacity_bytes == gib * GIB:
        return
    raise UnusableDisk(
        f"{disk.path.name} is a disk of {disk.capacity_bytes / GIB:g} GiB, not {gib}. Resize it first "
        f"(qemu-img convert to raw, resize to {gib}G, convert back), or say its size with --disk-gib."
    )


def _check(file: BinaryIO, name: str, size: int) -> int:
    header = file.read(HEADER.size)
    if len(header) < HEADER.size or not header.startswith(MAGIC):
        raise UnusableDisk(f"{name} is not a sparse VMDK. {_how_to_convert(name)}")
    fields = HEADER.unpack(header)
    flags, capacity, descriptor_at, descriptor_size = fields[2], fields[3], fields[5], fields[6]
    file.seek(descriptor_at * SECTOR)
    kind = _CREATE_TYPE.search(file.read(min(descriptor_size, 128) * SECTOR))
    is_stream = flags & COMPRESSED_WITH_MARKERS == COMPRESSED_WITH_MARKERS and fields[-1] == DEFLATE
    if not is_stream or kind is None or kind[1] != b"streamOptimized":
        raise UnusableDisk(
            f"{name} is a VMDK of type {_name_of(kind)}, not streamOptimized. {_how_to_convert(name)}"
        )
    if fields[9] == AT_END:
        _check_end(file, name, size)
    return int(capacity) * SECTOR


def _check_end(file: BinaryIO, name: str, size: int) -> None:
    """A header written before the rest was known has a full copy at the end, followed by an empty sector."""
    file.seek(max(0, size - 2 * SECTOR))
    end = file.read()
    if not end.startswith(MAGIC) or end[SECTOR:] != bytes(SECTOR):
        raise UnusableDisk(f"{name} is cut off: its end is missing. Copy or download it again.")


def _name_of(kind: re.Match[bytes] | None) -> str:
    return kind[1].decode() if kind else "unknown"


def _how_to_convert(name: str) -> str:
    return f"Convert it: qemu-img convert -O vmdk -o subformat=streamOptimized {name} NEW.vmdk"
