"""`Guests`: one guest per machine that is switched on, as a context manager or in the foreground."""

import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab.guests.clusters import Clusters
from tests.lab.guests.documents import NotReadable, read_documents
from tests.lab.guests.faults import Faults
from tests.lab.guests.installer_vm import InstallerVM, is_installer
from tests.lab.guests.link import Link
from tests.lab.guests.memory import Memory
from tests.lab.guests.network import DEFAULT_RANGE, Network
from tests.lab.guests.node import Guest, Node, Surroundings
from tests.lab.guests.pace import QUICK, Pace
from tests.lab.guests.watcher import Machine, Watcher


def silence(_line: str) -> None:
    return


class Guests:
    """`login` is what `Lab.login()` gives; `faults` may be changed while guests are played."""

    def __init__(
        self,
        login: dict[str, str],
        *,
        pace: Pace = QUICK,
        faults: tuple[str, ...] = (),
        data: Path | None = None,
        dhcp_range: str = DEFAULT_RANGE,
        say: Callable[[str], None] = silence,
    ) -> None:
        self.faults = Faults(faults)
        self._keep_data = data is not None
        self.data = data or Path(tempfile.mkdtemp(prefix="palette-guests-"))
        self._memory = Memory(self.data)
        self._link = Link(login, say)
        self._around = Surroundings(
            self._link, Network(dhcp_range, say), Clusters(self.data / "pods"), pace, say
        )
        self._watcher = Watcher(self._link, on=self._switched_on, off=self._switched_off, say=say)
        self._guests: dict[str, tuple[Guest, threading.Thread]] = {}
        self._thread = threading.Thread(target=self._watcher.watch, name="guests-watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.stopped.set()
        self._watcher.stop()
        self._thread.join(timeout=10)
        for guest, _ in self._guests.values():
            guest.switch_off()
        for _, thread in self._guests.values():
            thread.join(timeout=10)
        self._link.close()
        if not self._keep_data:
            shutil.rmtree(self.data, ignore_errors=True)

    @property
    def clusters(self) -> Clusters:
        return self._around.clusters

    def wait(self) -> None:
        self._thread.join()

    def _switched_on(self, machine: Machine) -> None:
        guest = Guest(machine, self._around, self.faults.take(machine.name))
        life = self._life(guest)
        if life is None:
            return
        thread = threading.Thread(target=life, name=f"guest-{machine.name}", daemon=True)
        self._guests[machine.moid] = (guest, thread)
        thread.start()

    def _life(self, guest: Guest) -> Callable[[], None] | None:
        machine = guest.machine
        if is_installer(machine):
            return InstallerVM(guest, self.data).live
        disk = self._memory.boot(machine)
        try:
            documents = read_documents(disk["options"])
        except NotReadable:
            return None

        def finished(number: int, kubelet: str) -> None:
            self._memory.note(machine, disk["options"], number, kubelet)

        return Node(
            guest, documents, done=disk["done"], kubelet=disk.get("kubelet", ""), finished=finished
        ).live

    def _switched_off(self, moid: str) -> None:
        guest, _ = self._guests.pop(moid, (None, None))
        if guest:
            guest.say("is switched off")
            guest.switch_off()
