"""A valid streamOptimized VMDK of a few kilobytes with nothing on it: for the simulator, it does not boot."""

import struct
from pathlib import Path

from gateways.installer.ova.disk import (
    AT_END,
    COMPRESSED_WITH_MARKERS,
    DEFLATE,
    GIB,
    HEADER,
    MAGIC,
    SECTOR,
)

DESCRIPTOR_SECTORS = 20
GRAIN_SECTORS = 128
ENTRIES_PER_TABLE = 512
DIRECTORY, FOOTER = 2, 3


def write_empty_disk(path: Path, *, gib: int = 60) -> None:
    sectors = gib * GIB // SECTOR
    tables = -(-sectors // (GRAIN_SECTORS * ENTRIES_PER_TABLE))
    directory = padded(bytes(4 * tables))
    start = padded(header(sectors, AT_END) + descriptor(path.name, sectors), GRAIN_SECTORS * SECTOR)
    directory_at = len(start) // SECTOR + 1
    end = marker(FOOTER, 1) + header(sectors, directory_at) + bytes(SECTOR)
    path.write_bytes(start + marker(DIRECTORY, len(directory) // SECTOR) + directory + end)


def header(sectors: int, directory_at: int) -> bytes:
    newline_test = b"\n \r\n"
    return HEADER.pack(
        MAGIC,
        3,
        COMPRESSED_WITH_MARKERS | 1,
        sectors,
        GRAIN_SECTORS,
        1,
        DESCRIPTOR_SECTORS,
        ENTRIES_PER_TABLE,
        0,
        directory_at,
        GRAIN_SECTORS,
        False,
        newline_test,
        DEFLATE,
    )


def descriptor(name: str, sectors: int) -> bytes:
    text = f"""# Disk DescriptorFile
version=1
CID=7e57d15c
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RW {sectors} SPARSE "{name}"

# The Disk Data Base
#DDB
ddb.virtualHWVersion = "15"
ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "{sectors // (255 * 63)}"
ddb.geometry.heads = "255"
ddb.geometry.sectors = "63"
"""
    return padded(text.encode(), DESCRIPTOR_SECTORS * SECTOR)


def marker(kind: int, sectors: int) -> bytes:
    return padded(struct.pack("<QII", sectors, 0, kind))


def padded(data: bytes, size: int = SECTOR) -> bytes:
    return data + bytes(-len(data) % size)
