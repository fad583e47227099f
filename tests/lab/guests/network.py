"""The guests' network: a DHCP range of its own, and who has which address."""

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
        self._lock = threading.Lock()

    def lease(self, machine: str) -> str:
        """The same address for the same machine as long as the player runs."""
        with self._lock:
            taken = {*self._leases.values(), *self._in_use}
            for number in range(self._first, self._last + 1):
                address = str(ipaddress.IPv4Address(number))
                if machine in self._leases or address not in taken:
                    return self._leases.setdefault(machine, address)
        raise RuntimeError("The DHCP range is exhausted.")

    def take(self, address: str, machine: str) -> None:
        with self._lock:
            other = self._in_use.setdefault(address, machine)
        if other != machine:
            self._say(f"{machine}: {address} is used by {other} as well")

    def leave(self, machine: str) -> None:
        with self._lock:
            self._in_use = {address: user for address, user in self._in_use.items() if user != machine}
