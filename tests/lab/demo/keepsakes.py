"""What must be the same after a restart: keys, the simulator's login and port. One file, for us only."""

import json
import os
import secrets
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

VCENTER_PORT = 8989


@dataclass(frozen=True)
class Keepsakes:
    secret_key: str
    encryption_keys: str
    vcenter_username: str
    vcenter_password: str
    vcenter_port: int


def load_keepsakes(folder: Path) -> Keepsakes:
    path = folder / "secrets"
    if path.exists():
        return Keepsakes(**json.loads(path.read_text()))
    made = Keepsakes(
        secret_key=secrets.token_urlsafe(48),
        encryption_keys=Fernet.generate_key().decode(),
        vcenter_username="administrator@vsphere.local",
        vcenter_password=secrets.token_urlsafe(12),
        vcenter_port=free_port(VCENTER_PORT),
    )
    write_private(path, asdict(made))
    return made


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Complete or not at all, and never readable by others in between."""
    half_done = path.with_name(f"{path.name}.new")
    half_done.unlink(missing_ok=True)
    with os.fdopen(os.open(half_done, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    half_done.rename(path)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def becomes_free(port: int, *, seconds: float = 3) -> bool:
    """A demo that was killed a moment ago may still be letting go."""
    deadline = time.monotonic() + seconds
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def free_port(preferred: int) -> int:
    if becomes_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
