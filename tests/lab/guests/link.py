"""The player's one session with vCenter: opened again whenever it is lost."""

import http.client
import threading
from collections.abc import Callable
from typing import Any

from pyVmomi import vim, vmodl

from tests.lab.api import VSphere

LOST = (OSError, http.client.HTTPException, vmodl.fault.ManagedObjectNotFound, vim.fault.NotAuthenticated)
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0)


class Link:
    def __init__(self, login: dict[str, str], say: Callable[[str], None]) -> None:
        self._login, self._say = login, say
        self._session: VSphere | None = None
        self._lock = threading.Lock()
        self.stopped = threading.Event()

    def session(self) -> VSphere:
        with self._lock:
            if self._session is None:
                self._session = VSphere(**self._login).__enter__()
            return self._session

    def lose(self) -> None:
        with self._lock:
            session, self._session = self._session, None
        if session:
            session.drop()

    def close(self) -> None:
        self.stopped.set()
        with self._lock:
            session, self._session = self._session, None
        if session:
            try:
                session.__exit__(None, None, None)
            except (*LOST, vmodl.MethodFault) as error:
                self._say(f"vCenter did not take the logout: {error}")

    def pause_after(self, failures: int) -> None:
        self.stopped.wait(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])

    def write_guest(self, moid: str, values: dict[str, str], *, stopped: Callable[[], bool]) -> None:
        """Set properties of the guest; again until vCenter takes them, the machine is gone or it stops."""
        options = {f"SET.{name}": value for name, value in values.items()}
        failures = 0
        while not stopped() and not self.stopped.is_set():
            try:
                self._write(moid, options)
                return
            except vmodl.fault.ManagedObjectNotFound:
                return
            except (OSError, http.client.HTTPException, vim.fault.NotAuthenticated):
                self.pause_after(failures)
                failures += 1

    def _write(self, moid: str, options: dict[str, str]) -> None:
        session = self.session()
        vm: Any = vim.VirtualMachine(moid, session.instance._GetStub())
        values = [vim.option.OptionValue(key=key, value=value) for key, value in options.items()]
        vm.ReconfigVM_Task(vim.vm.ConfigSpec(extraConfig=values))
