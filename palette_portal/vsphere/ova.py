"""Reading an OVA as it streams in: descriptor first, then disks, each compared with the manifest's digest."""

import hashlib
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from xml.etree import ElementTree

from palette_portal.vsphere.errors import ImageUnusable

CHUNK_BYTES = 1024 * 1024
MOST_DESCRIPTOR_BYTES = 4 * CHUNK_BYTES
OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
ALGORITHMS = ("sha1", "sha256", "sha512")
_MANIFEST_LINE = re.compile(r"(SHA1|SHA256|SHA512)\s*\(([^)]+)\)\s*=\s*([0-9a-fA-F]+)\s*")


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Descriptor:
    text: str = field(repr=False)
    networks: tuple[str, ...]
    # Bytes of each file that belongs to the machine.
    files: dict[str, int]


@dataclass
class Disk:
    """A file of the archive, to be read once while the archive stands at it."""

    name: str
    size: int
    source: Readable
    digests: dict[str, Any] = field(default_factory=lambda: {name: hashlib.new(name) for name in ALGORITHMS})

    def chunks(self) -> Iterator[bytes]:
        try:
            while chunk := self.source.read(CHUNK_BYTES):
                for digest in self.digests.values():
                    digest.update(chunk)
                yield chunk
        except tarfile.TarError as problem:
            raise ImageUnusable("The image is not an OVA, or was cut off.") from problem


class Archive:
    """One pass: `descriptor`, then `disks`, then `verify`."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._digests: dict[str, dict[str, str]] = {}
        self._expected: dict[str, tuple[str, str]] = {}
        self.has_manifest = False

    def read(self) -> tuple[Descriptor, Iterator[Disk]]:
        members = self._members()
        name, first = next(members, ("", None))
        if first is None or not name.endswith(".ovf"):
            raise ImageUnusable("The image is not an OVA: its first file is not an OVF descriptor.")
        content = _read_small(first)
        self._digests[name] = {kind: hashlib.new(kind, content).hexdigest() for kind in ALGORITHMS}
        descriptor = read_descriptor(content)
        return descriptor, self._disks(members, descriptor)

    def verify(self) -> None:
        """Raise ImageUnusable when what came is not what the manifest names."""
        for name, (kind, expected) in self._expected.items():
            if name not in self._digests:
                raise ImageUnusable(f"The image lacks {name}, which its manifest names.")
            if self._digests[name][kind] != expected:
                raise ImageUnusable(
                    f"{name} of the image is damaged: its {kind.upper()} is not the manifest's."
                )

    def _members(self) -> Iterator[tuple[str, Disk | None]]:
        source: Any = self._source  # tarfile asks for nothing but `read`
        try:
            with tarfile.open(fileobj=source, mode="r|") as tar:
                for member in tar:
                    if (content := tar.extractfile(member)) is not None:
                        yield member.name, Disk(member.name, member.size, content)
        except (tarfile.TarError, EOFError) as problem:
            raise ImageUnusable("The image is not an OVA, or was cut off.") from problem

    def _disks(self, members: Iterator[tuple[str, Disk | None]], descriptor: Descriptor) -> Iterator[Disk]:
        for name, member in members:
            assert member is not None
            if name.endswith(".mf"):
                self._note_manifest(_read_small(member))
            elif name in descriptor.files:
                self._forget_needless(member)
                yield member
                self._digests[name] = {kind: value.hexdigest() for kind, value in member.digests.items()}

    def _note_manifest(self, content: bytes) -> None:
        self.has_manifest = True
        for kind, name, digest in _MANIFEST_LINE.findall(content.decode(errors="replace")):
            self._expected[name] = (kind.lower(), digest.lower())

    def _forget_needless(self, member: Disk) -> None:
        """A manifest that came before the disks says which digest is asked for."""
        if expected := self._expected.get(member.name):
            member.digests = {expected[0]: member.digests[expected[0]]}


def read_descriptor(content: bytes) -> Descriptor:
    try:
        envelope = ElementTree.fromstring(content)
    except ElementTree.ParseError as problem:
        raise ImageUnusable("The image's OVF descriptor cannot be read.") from problem
    references = envelope.iterfind(f"{OVF}References/{OVF}File")
    networks = envelope.iterfind(f"{OVF}NetworkSection/{OVF}Network")
    return Descriptor(
        text=content.decode(errors="replace"),
        networks=tuple(network.get(f"{OVF}name", "") for network in networks),
        files={file.get(f"{OVF}href", ""): int(file.get(f"{OVF}size") or 0) for file in references},
    )


def _read_small(member: Disk) -> bytes:
    if member.size > MOST_DESCRIPTOR_BYTES:
        raise ImageUnusable(f"{member.name} of the image is larger than a descriptor can be.")
    return member.source.read()
