"""pyVmomi's stub with our TLS, our timeouts and our errors: nothing else leaves a call."""

import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from palette_portal.vsphere.endpoint import Endpoint
from palette_portal.vsphere.errors import SessionExpired, VSphereFault
from palette_portal.vsphere.faults import CONNECTION_ERRORS, translate
from palette_portal.vsphere.trust import Timeouts, Trust, VerifiedConnection
from palette_portal.vsphere.version import version_numbers
from palette_portal.vsphere.vmomi import SoapStubAdapter, service_versions, vim, vmodl

IDLE_CONNECTION_SECONDS = 30  # shorter than any proxy in front of vCenter keeps one open
POOLED_CONNECTIONS = 8
OLDEST_VERSION = "vim.version.version9"


class Stub(SoapStubAdapter):  # type: ignore[misc]
    """One vCenter's connections and cookie. A call that finds the session ended logs in and is made again."""

    pool: list[tuple[VerifiedConnection, float]]

    def __init__(self, endpoint: Endpoint, trust: Trust, timeouts: Timeouts) -> None:
        super().__init__(
            host=endpoint.host,
            port=endpoint.port,
            version=OLDEST_VERSION,
            poolSize=POOLED_CONNECTIONS,
            connectionPoolTimeout=IDLE_CONNECTION_SECONDS,
        )
        self.endpoint = endpoint
        self.open = partial(VerifiedConnection, endpoint, trust, timeouts)
        self.scheme = self._connection
        self.log_in_again: Callable[[str], None] | None = None
        self.round_trips = 0
        self.ended = False
        self._counting = threading.Lock()

    def _connection(self, **_pyvmomi_arguments: object) -> VerifiedConnection:
        return self.open()

    def InvokeMethod(self, mo: Any, info: Any, args: Any, outerStub: Any = None) -> Any:
        try:
            return self._call(mo, info, args)
        except (vmodl.MethodFault, *CONNECTION_ERRORS) as problem:
            raise translate(problem, server=str(self.endpoint), name_of=self._name_of) from problem
        except (
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
        ) as problem:  # it cannot be parsed
            sentence = f"{self.endpoint} gave an answer to {info.name} that cannot be read."
            raise VSphereFault(sentence, fault_name="UnreadableAnswer") from problem

    def _call(self, mo: Any, info: Any, args: Any) -> Any:
        cookie = self.cookie
        try:
            return self._send(mo, info, args)
        except vim.fault.NotAuthenticated:
            if self.log_in_again is None:
                raise
            self.log_in_again(cookie)
            return self._send(mo, info, args)

    def _send(self, mo: Any, info: Any, args: Any) -> Any:
        if self.ended:
            raise SessionExpired(f"The session with {self.endpoint} was closed.")
        with self._counting:
            self.round_trips += 1
        return super().InvokeMethod(mo, info, args)

    def end(self) -> None:
        """No further call; a call in progress finishes and its connection is closed."""
        self.ended = True
        self.DropConnections()

    def abandon(self) -> None:
        """As end, in a forked child: the lock may be held by a thread that is not there."""
        self.ended = True
        for connection, _last_used in self.pool:
            connection.close()
        self.pool = []

    def ReturnConnection(self, conn: Any) -> None:
        if self.ended:
            conn.close()
        else:
            super().ReturnConnection(conn)

    def _name_of(self, managed: Any) -> str:
        """Name an object for an error sentence; its id when the account may not even read the name."""
        moid: str = managed._GetMoId()
        if not isinstance(managed, vim.ManagedEntity):
            return moid
        try:
            return str(type(managed)(moid, self).name)
        except Exception:  # whatever goes wrong here must not hide the error that is being told
            return moid

    def speak(self, api_version: str) -> None:
        """Use the newest dialect that both sides know."""
        self.ComputeVersionInfo(_dialect(version_numbers(api_version)))


def _dialect(server: tuple[int, ...]) -> str:
    for version in service_versions("vim25"):
        if (found := re.fullmatch(r"vim\.version\.v(\d+(?:_\d+)*)", version)) and (
            version_numbers(found[1].replace("_", ".")) <= server
        ):
            return str(version)
    return "vim.version.version11" if server >= (6, 5) else OLDEST_VERSION
