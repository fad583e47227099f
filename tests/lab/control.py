"""Asks the lab's vCenter for faults and figures; the portal never does."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

from tests.lab.build import LabUnavailable


class Control:
    def __init__(self, address: str) -> None:
        self.address = address

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.address}{path}", data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)
        except urllib.error.HTTPError as refused:
            raise ValueError(refused.read().decode().strip()) from refused


class NoControl(Control):
    """An upstream simulator has no such endpoint; putting things right again is nothing to do there."""

    def __init__(self) -> None:
        super().__init__(address="")

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        if method == "DELETE" or path == "/settings":
            return {}
        raise LabUnavailable("This needs the lab's own simulator: unset VCSIM.")


NTP_SERVERS = ("ntp-1.lab.example", "ntp-2.lab.example")


class Faults:
    """What a `Lab` can be told to do wrong, and what it has counted."""

    control: Control
    username: str
    password: str
    withheld: dict[str, list[str]] = {}  # replaced, never changed
    unknown: tuple[str, ...] = ()

    def fail(
        self,
        method: str,
        fault: str = "SystemError",
        *,
        times: int = 1,
        at: str = "call",
        name: str = "*",
        message: str = "",
        **fields: Any,
    ) -> None:
        """Let a method fail: `at` is "call" (the reply) or "task" (the end of its task); times=0 is for ever.

        `fields` are the fault's own, as {"object": {"type": "Folder", "value": "group-v3"}}.
        """
        self._add_fault(method, at, times, name, fault=fault, message=message, fields=fields)

    def lose_reply(self, method: str, *, times: int = 1, name: str = "*", after_work: bool = False) -> None:
        """Cut the connection instead of answering: the work goes on, or is already done with `after_work`."""
        self._add_fault(method, "lose-reply-after" if after_work else "lose-reply", times, name)

    def deny(
        self, method: str, privilege: str, object_moid: str, object_type: str, *, times: int = 0
    ) -> None:
        target = {"type": object_type, "value": object_moid}
        self.fail(method, "NoPermission", times=times, object=target, privilegeId=privilege)

    def fill_datastore(self, name: str, *, times: int = 1, clone: str = "*") -> None:
        self.fail("CloneVM_Task", "NoDiskSpace", at="task", times=times, name=clone, datastore=name)

    def heal(self) -> None:
        """No more faults, no outage, no delays, all privileges, the clocks right."""
        self.control.request("DELETE", "/faults")
        self.control.request("DELETE", "/outage")
        self.control.request("POST", "/settings", {"delays": None, "clock_offset_seconds": 0})
        self.grant_all()
        if self.control.address:
            self.set_host_time()

    def unreachable(self, seconds: float, *, hang: bool = False) -> None:
        self.control.request("POST", "/outage", {"seconds": seconds, "mode": "hang" if hang else "reset"})

    def reachable(self) -> None:
        self.control.request("DELETE", "/outage")

    def change_password(self, password: str) -> None:
        """Accept only this password from now on; `password` and `credentials()` follow."""
        self.control.request("POST", "/settings", {"password": password})
        self.password = password

    def set_durations(self, **seconds: float) -> None:
        """clone_seconds, power_on_seconds, power_off_seconds, destroy_seconds, reconfigure_seconds."""
        self.control.request("POST", "/settings", {"durations": seconds})

    def set_delays(self, **seconds: float) -> None:
        """Hold back the replies of these methods."""
        self.control.request("POST", "/settings", {"delays": None})
        self.control.request("POST", "/settings", {"delays": seconds})

    def set_version(self, version: str) -> None:
        self.control.request("POST", "/settings", {"version": version})

    def set_clock_offset(self, seconds: float) -> None:
        self.control.request("POST", "/settings", {"clock_offset_seconds": seconds})

    def withhold(self, *privileges: str, on: str = "*") -> None:
        """The account does not hold these on the object with this id; "*" stands for all, of either."""
        self.withheld = {**self.withheld, on: [*self.withheld.get(on, ()), *privileges]}
        self._set_permissions()

    def forget_privileges(self, *privileges: str) -> None:
        """This vCenter does not know them, as an older one."""
        self.unknown = (*self.unknown, *privileges)
        self._set_permissions()

    def grant_all(self) -> None:
        self.withheld, self.unknown = {}, ()
        self.control.request("DELETE", "/permissions")

    def _set_permissions(self) -> None:
        wanted = {"withheld": self.withheld, "unknown": list(self.unknown)}
        self.control.request("POST", "/permissions", wanted)

    def set_host_time(
        self,
        name: str = "*",
        *,
        servers: tuple[str, ...] = NTP_SERVERS,
        running: bool = True,
        offset: float = 0,
    ) -> None:
        """NTP of the host with this name, and how many seconds its clock is ahead."""
        wanted = {"ntp_servers": servers, "ntp_running": running, "clock_offset_seconds": offset}
        self.control.request("POST", "/hosts", {"name": name, **wanted})

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.control.request("GET", "/state")
        return state

    def wait_for_tasks(self, seconds: float = 30) -> None:
        """Until no task is queued or running."""
        deadline = time.monotonic() + seconds
        while self.control.address and self.state()["running_tasks"]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Tasks still run after {seconds} seconds.")
            time.sleep(0.02)

    def sessions(self) -> list[dict[str, Any]]:
        """Open SOAP and REST sessions: kind, key, user, user_agent, login_at, last_active_at, calls."""
        sessions: list[dict[str, Any]] = self.state()["sessions"]
        return sessions

    def expire_sessions(self) -> None:
        self.control.request("DELETE", "/sessions")

    def calls(self) -> dict[str, int]:
        """Calls per method since the start or `forget_calls()`; REST as "GET /rest/..."."""
        calls: dict[str, int] = self.control.request("GET", "/calls")
        return calls

    def forget_calls(self) -> None:
        self.control.request("DELETE", "/calls")

    def _add_fault(self, method: str, at: str, times: int, name: str, **more: Any) -> None:
        rule = {"method": method, "at": at, "count": times, "name": name}
        self.control.request("POST", "/faults", rule | more)
