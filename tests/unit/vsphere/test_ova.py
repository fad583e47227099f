"""Reading an OVA in one pass, whatever the order of its parts, and refusing what is not whole."""

import hashlib
import io
import tarfile

import pytest

from palette_portal.vsphere.errors import ImageUnusable
from palette_portal.vsphere.ova import Archive

DESCRIPTOR = b"""<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
  <References><File ovf:href="disk.vmdk" ovf:id="f1" ovf:size="9"/></References>
  <NetworkSection><Network ovf:name="nodes"/></NetworkSection>
</Envelope>
"""
DISK = b"some disk"


def pack(*members: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def manifest(disk: bytes = DISK, kind: str = "sha256") -> bytes:
    lines = {"x.ovf": DESCRIPTOR, "disk.vmdk": disk}
    digests = {name: hashlib.new(kind, content).hexdigest() for name, content in lines.items()}
    return "".join(f"{kind.upper()}({name})= {digest}\n" for name, digest in digests.items()).encode()


def read(content: bytes) -> tuple[Archive, dict[str, bytes]]:
    archive = Archive(io.BytesIO(content))
    _, disks = archive.read()
    return archive, {disk.name: b"".join(disk.chunks()) for disk in disks}


def test_descriptor_tells_networks_and_files() -> None:
    descriptor, _ = Archive(io.BytesIO(pack(("x.ovf", DESCRIPTOR)))).read()

    assert (descriptor.networks, descriptor.files) == (("nodes",), {"disk.vmdk": 9})


@pytest.mark.parametrize("kind", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("is_first", [True, False])
def test_whole_archive_is_verified_wherever_its_manifest_stands(kind: str, is_first: bool) -> None:
    listed, disk = ("x.mf", manifest(kind=kind)), ("disk.vmdk", DISK)
    parts = [listed, disk] if is_first else [disk, listed]

    archive, disks = read(pack(("x.ovf", DESCRIPTOR), *parts))
    archive.verify()

    assert disks == {"disk.vmdk": DISK} and archive.has_manifest


@pytest.mark.parametrize("is_first", [True, False])
def test_damaged_disk_is_noticed(is_first: bool) -> None:
    listed, disk = ("x.mf", manifest()), ("disk.vmdk", b"Some disk")
    parts = [listed, disk] if is_first else [disk, listed]
    archive, _ = read(pack(("x.ovf", DESCRIPTOR), *parts))

    with pytest.raises(ImageUnusable, match=r"disk\.vmdk of the image is damaged"):
        archive.verify()


def test_damaged_descriptor_is_noticed() -> None:
    archive, _ = read(pack(("x.ovf", DESCRIPTOR + b"\n"), ("x.mf", manifest()), ("disk.vmdk", DISK)))

    with pytest.raises(ImageUnusable, match=r"x\.ovf of the image is damaged"):
        archive.verify()


def test_missing_disk_is_noticed() -> None:
    archive, _ = read(pack(("x.ovf", DESCRIPTOR), ("x.mf", manifest())))

    with pytest.raises(ImageUnusable, match=r"lacks disk\.vmdk"):
        archive.verify()


def test_archive_without_a_manifest_says_so() -> None:
    archive, _ = read(pack(("x.ovf", DESCRIPTOR), ("disk.vmdk", DISK)))
    archive.verify()

    assert not archive.has_manifest


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not an OVA"),
        (b"<html>" * 200, "not an OVA"),
        (pack(("disk.vmdk", DISK)), "its first file is not an OVF descriptor"),
        (pack(("x.ovf", b"no XML")), "descriptor cannot be read"),
        (pack(("x.ovf", b" " * 5_000_000)), "larger than a descriptor"),
    ],
)
def test_what_is_no_image_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(ImageUnusable, match=sentence):
        read(content)


def test_archive_that_was_cut_off_is_refused() -> None:
    content = pack(("x.ovf", DESCRIPTOR), ("disk.vmdk", b"x" * 20_000))

    with pytest.raises(ImageUnusable, match="was cut off"):
        read(content[:12_000])
