"""The guests' network: a DHCP range of its own, who has which address, which API servers answer."""

import ipaddress
import threading
from collections.abc import Callable

DEFAULT_RANGE = "10.60.0.10-10.60.15.250"


class Network:
    def __init__(self, dhcp_range: str = DEFAULT_RANGE, say: Callable[[str], None] = print) -> None:
        first, _, last = dhcp_range.partition("-")
        self._first, self._last = (int(ipaddress.IPv4Address(end.strip())) for end in (first, last))
        self._say = say
        self._leases: dict[str, str] = {}
        self._in_use: dict[str, str] = {}
        self._api_servers: set[str] = set()
        self._changed = threading.Condition()

    def lease(self, machine: str) -> str:
        """The same address for the same machine as long as the player runs."""
        with self._changed:
            taken = {*self._leases.values(), *self._in_use}
            for number in range(self._first, self._last + 1):
                address = str(ipaddress.IPv4Address(number))
                if machine in self._leases or address not in taken:
                    return self._leases.setdefault(machine, address)
        raise RuntimeError("The DHCP range is exhausted.")

    def take(self, address: str, machine: str) -> None:
        with self._changed:
            other = self._in_use.setdefault(address, machine)
        if other != machine:
            self._say(f"{machine}: {address} is used by {other} as well")

    def leave(self, machine: str) -> None:
        with self._changed:
            self._in_use = {address: user for address, user in self._in_use.items() if user != machine}

    def api_server_is_up(self, endpoint: str) -> None:
        with self._changed:
            self._api_servers.add(endpoint)
            self._changed.notify_all()

    def api_server_is_down(self, endpoint: str) -> None:
        with self._changed:
            self._api_servers.discard(endpoint)

    def wait_for_api_server(self, endpoint: str, *, seconds: float, stopped: Callable[[], bool]) -> bool:
        def answers_or_over() -> bool:
            return endpoint in self._api_servers or stopped()

        with self._changed:
            self._changed.wait_for(answers_or_over, timeout=seconds)
            return endpoint in self._api_servers

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
