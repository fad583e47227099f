"""Builds the lab's vCenter from `simulator/` with Debian's Go and govmomi, once per state of its source."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "simulator"
GOPATH = Path("/usr/share/gocode")
COLLECTOR = GOPATH / "src/github.com/vmware/govmomi/simulator/property_collector.go"
PACKAGES = "golang-go golang-github-vmware-govmomi-dev"


class LabUnavailable(RuntimeError):
    pass


def data_folder() -> Path:
    return Path(os.environ.get("DATA", ".data")).resolve() / "lab"


def program() -> Path:
    """The built simulator; only the first caller after a change of the source builds it, the others wait."""
    folder = data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    binary = folder / f"vcenter-{_source_hash()}"
    with (folder / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            _build(folder, binary)
    return binary


def _source_hash() -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for source in sorted(SOURCE.glob("*.go")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def _build(folder: Path, binary: Path) -> None:
    if shutil.which("go") is None or not COLLECTOR.exists():
        raise LabUnavailable(
            f"The lab needs Go and govmomi: apt-get install {PACKAGES}. "
            "Or set VCSIM to the path of an upstream vcsim program."
        )
    for old in folder.glob("vcenter-*"):
        old.unlink()
    unfinished = binary.with_suffix(".new")
    command = ["go", "build", "-overlay", str(_overlay(folder)), "-o", str(unfinished), "."]
    built = subprocess.run(command, cwd=SOURCE, env=_environment(folder), capture_output=True, text=True)
    if built.returncode:
        raise LabUnavailable(f"The lab's simulator does not build:\n{built.stderr}")
    unfinished.rename(binary)


def _environment(folder: Path) -> dict[str, str]:
    go = {"GO111MODULE": "off", "GOPATH": str(GOPATH), "GOFLAGS": ""}
    return os.environ | go | {"GOCACHE": os.environ.get("GOCACHE", str(folder / "go-cache"))}


def _overlay(folder: Path) -> Path:
    """The library looks for updates four times a second; built with this, it looks fifty times."""
    quick = folder / "property_collector.go"
    quick.write_text(COLLECTOR.read_text().replace("250 * time.Millisecond", "20 * time.Millisecond"))
    overlay = folder / "overlay.json"
    overlay.write_text(json.dumps({"Replace": {str(COLLECTOR): str(quick)}}))
    return overlay
