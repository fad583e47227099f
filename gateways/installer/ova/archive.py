"""The OVA: descriptor, manifest, disk, in this order, as the standard asks. Same input, same bytes."""

import hashlib
import tarfile
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import BinaryIO


def write_ova(output: Path, *, name: str, descriptor: bytes, disk_file: str, disk: Path) -> None:
    """All of it or nothing: an earlier OVA stays until this one is whole."""
    half_done = output.with_name(f"{output.name}.new")
    try:
        with tarfile.open(half_done, "w", format=tarfile.USTAR_FORMAT) as tar, disk.open("rb") as content:
            digests = {f"{name}.ovf": hashlib.sha256(descriptor).hexdigest(), disk_file: _digest(content)}
            _add(tar, f"{name}.ovf", BytesIO(descriptor), len(descriptor))
            manifest = manifest_of(digests)
            _add(tar, f"{name}.mf", BytesIO(manifest), len(manifest))
            _add(tar, disk_file, content, disk.stat().st_size)
        half_done.replace(output)
    finally:
        half_done.unlink(missing_ok=True)


def manifest_of(digests: dict[str, str]) -> bytes:
    return "".join(f"SHA256({name})= {digest}\n" for name, digest in digests.items()).encode()


def _digest(content: BufferedReader) -> str:
    digest = hashlib.file_digest(content, "sha256").hexdigest()
    content.seek(0)
    return digest


def _add(tar: tarfile.TarFile, name: str, content: BinaryIO, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    tar.addfile(member, content)
