"""What the installer remembers over restarts. Root only, written all or not at all: the token is in it."""

import json
import os
import uuid
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

_DMI_UUID = Path("/sys/class/dmi/id/product_uuid")


@dataclass(frozen=True)
class State:
    instance_uuid: str
    endpoint: str = ""
    gateway_uid: str = ""
    token: str = field(default="", repr=False)

    @property
    def is_registered(self) -> bool:
        return bool(self.token)

    def registered(self, *, endpoint: str, gateway_uid: str, token: str) -> "State":
        return replace(self, endpoint=endpoint, gateway_uid=gateway_uid, token=token)

    def forgotten(self) -> "State":
        return replace(self, endpoint="", gateway_uid="", token="")


class StateFile:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "state.json"

    def load(self, instance_uuid: str = "") -> State:
        """A VM that was cloned from this one has another UUID and starts without our token."""
        known = instance_uuid or _hardware_uuid()
        state = self._read()
        if state is None or (known and state.instance_uuid != known):
            state = State(instance_uuid=known or str(uuid.uuid4()))
            self.save(state)
        return state

    def save(self, state: State) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(state), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def _read(self) -> State | None:
        try:
            return State(**json.loads(self._path.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None


def _hardware_uuid() -> str:
    try:
        return str(uuid.UUID(_DMI_UUID.read_text(encoding="ascii").strip()))
    except (OSError, ValueError):
        return ""
