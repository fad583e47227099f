from pathlib import Path

import pytest

from gateways.installer.ova.disk import (
    AT_END,
    COMPRESSED_WITH_MARKERS,
    GIB,
    SECTOR,
    UnusableDisk,
    check_capacity,
    read_disk,
)

FLAGS_AT, DIRECTORY_AT, COMPRESSION_AT = 8, 56, 77


def overwrite(path: Path, position: int, data: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[position : position + len(data)] = data
    path.write_bytes(content)


def test_disk_tells_its_capacity(disk: Path) -> None:
    found = read_disk(disk)

    assert found.capacity_bytes == 60 * GIB
    assert found.size_bytes == disk.stat().st_size


@pytest.mark.parametrize("content", [b"", b"KDM", b"QFI\xfb" + bytes(2000), bytes(4096)])
def test_disk_of_another_format_is_refused(tmp_path: Path, content: bytes) -> None:
    other = tmp_path / "other.qcow2"
    other.write_bytes(content)

    with pytest.raises(
        UnusableDisk, match=r"other\.qcow2 is not a sparse VMDK. Convert it: qemu-img convert"
    ):
        read_disk(other)


@pytest.mark.parametrize(
    ("position", "data"), [(FLAGS_AT, (3).to_bytes(4, "little")), (COMPRESSION_AT, b"\0\0")]
)
def test_disk_without_compressed_grains_is_refused(disk: Path, position: int, data: bytes) -> None:
    overwrite(disk, position, data)

    with pytest.raises(UnusableDisk, match="not streamOptimized"):
        read_disk(disk)


def test_disk_of_another_type_is_named(disk: Path) -> None:
    disk.write_bytes(disk.read_bytes().replace(b'"streamOptimized"', b'"monolithicSpars"'))

    with pytest.raises(UnusableDisk, match="type monolithicSpars, not streamOptimized"):
        read_disk(disk)


@pytest.mark.parametrize("lost", [1, SECTOR, 3 * SECTOR])
def test_disk_that_is_cut_off_is_refused(disk: Path, lost: int) -> None:
    disk.write_bytes(disk.read_bytes()[:-lost])

    with pytest.raises(UnusableDisk, match="is cut off"):
        read_disk(disk)


def test_disk_whose_header_knows_the_directory_needs_no_footer(disk: Path) -> None:
    overwrite(disk, DIRECTORY_AT, (129).to_bytes(8, "little"))
    disk.write_bytes(disk.read_bytes()[: -2 * SECTOR])

    assert read_disk(disk).capacity_bytes == 60 * GIB


def test_header_of_the_empty_disk_is_laid_out_as_specified(disk: Path) -> None:
    header = disk.read_bytes()[:SECTOR]

    def number(start: int, size: int) -> int:
        return int.from_bytes(header[start : start + size], "little")

    assert (header[:4], number(4, 4)) == (b"KDMV", 3)
    assert number(8, 4) == COMPRESSED_WITH_MARKERS | 1
    assert number(12, 8) == 60 * GIB // SECTOR
    assert (number(20, 8), number(28, 8), number(36, 8)) == (128, 1, 20)
    assert (number(44, 4), number(56, 8)) == (512, AT_END)
    assert header[73:77] == b"\n \r\n"
    assert number(77, 2) == 1


def test_disk_of_another_size_than_the_descriptor_says_is_refused(disk: Path) -> None:
    with pytest.raises(UnusableDisk, match=r"base\.vmdk is a disk of 60 GiB, not 80"):
        check_capacity(read_disk(disk), 80)
