"""How far each node has come, so that a restart of the player is not a restart of the nodes."""

import json
import threading
from pathlib import Path


class Memory:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "nodes.json"
        self._lock = threading.Lock()
        self._done: dict[str, int] = json.loads(self._file.read_text()) if self._file.exists() else {}

    def done(self, machine: str) -> int:
        with self._lock:
            return self._done.get(machine, 0)

    def note(self, machine: str, done: int) -> None:
        with self._lock:
            self._done[machine] = done
            self._save()

    def forget(self, machine: str) -> None:
        with self._lock:
            self._done.pop(machine, None)
            self._save()

    def _save(self) -> None:
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(json.dumps(self._done))
        unfinished.rename(self._file)
