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
LIBRARY = GOPATH / "src/github.com/vmware/govmomi/simulator"
LISTENER = SOURCE / "library/listener.go"
PACKAGES = "golang-go golang-github-vmware-govmomi-dev"

# What the library does not do well enough for many clients at once: file -> (its text, ours).
EDITS = {
    "property_collector.go": (
        # It looks for updates four times a second.
        ("250 * time.Millisecond", "20 * time.Millisecond"),
        # It misses what changes between the first answer and the moment it begins to listen.
        ("\t\tapply()                // Collect current state\n", ""),
        (
            "\t\tctx.Map.AddHandler(pc) // Listen for create, update, delete of managed objects\n",
            "\t\tctx.Map.AddHandler(listener(ctx, pc))\n\t\tapply()\n",
        ),
    ),
    "virtual_machine.go": (
        # It shows a machine that is being made without a name.
        ("\tvm.Parent = &parent\n", "\tvm.Parent = &parent\n\tvm.Name = spec.Name\n"),
    ),
}


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
    for source in sorted(SOURCE.rglob("*.go")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def _build(folder: Path, binary: Path) -> None:
    if shutil.which("go") is None or not LIBRARY.exists():
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
    has_cache = os.environ.keys() & {"HOME", "XDG_CACHE_HOME", "GOCACHE"}
    return os.environ | go | ({} if has_cache else {"GOCACHE": str(folder / "go-cache")})


def _overlay(folder: Path) -> Path:
    """Files that the build takes instead of, or besides, the library's own."""
    replaced = {str(LIBRARY / "lab_listener.go"): str(LISTENER)}
    for name, edits in EDITS.items():
        text = (LIBRARY / name).read_text()
        for old, new in edits:
            text = text.replace(old, new)
        (folder / name).write_text(text)
        replaced[str(LIBRARY / name)] = str(folder / name)
    overlay = folder / "overlay.json"
    overlay.write_text(json.dumps({"Replace": replaced}))
    return overlay
