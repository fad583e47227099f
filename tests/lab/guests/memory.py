"""The nodes' disks: the documents of their first boot and how far they have come.

A restart of the player or of a node is no new installation, also when the documents are blanked in vCenter.
"""

import json
import threading
from pathlib import Path
from typing import NotRequired, TypedDict

from tests.lab.guests.watcher import Machine


class Disk(TypedDict):
    options: dict[str, str]
    done: int
    kubelet: NotRequired[str]


class Memory:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "nodes.json"
        self._lock = threading.Lock()
        self._disks: dict[str, Disk] = json.loads(self._file.read_text()) if self._file.exists() else {}

    def boot(self, machine: Machine) -> Disk:
        """The disk as it is; a machine not seen before begins with what vCenter shows."""
        with self._lock:
            return self._disks.get(machine.disk) or Disk(options=machine.options, done=0)

    def note(self, machine: Machine, options: dict[str, str], done: int, kubelet: str) -> None:
        with self._lock:
            self._disks[machine.disk] = Disk(options=options, done=done, kubelet=kubelet)
            unfinished = self._file.with_suffix(".new")
            unfinished.touch(mode=0o600)
            unfinished.write_text(json.dumps(self._disks))
            unfinished.rename(self._file)
