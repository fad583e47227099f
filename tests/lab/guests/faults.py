"""What can go wrong in a guest, by name."""

import fnmatch
import threading
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    NEVER_BOOTS = "never-boots"  # powered on, and nothing more
    NO_ADDRESS = "no-address"  # boots, but gets no address and so reaches nobody
    WRONG_TIME = "wrong-time"  # the clock is an hour slow unless the user-data names NTP servers
    KUBEADM_FAILS = "kubeadm-fails"  # kubeadm init or join ends with an error
    INSTRUCTION_FAILS = "instruction-fails"  # the first thing that the portal asks this node to do
    NEVER_DRAINS = "never-drains"  # pods on this node cannot be evicted
    FLAPS = "flaps"  # ready, then without address and heartbeats on and off


@dataclass
class _Rule:
    fault: Fault
    pattern: str
    left: int | None


class Faults:
    """Faults by the machine's name; each guest asks once, when it starts."""

    def __init__(self, wanted: tuple[str, ...] = ()) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        for text in wanted:
            name, _, rest = text.partition(":")
            pattern, _, times = rest.partition(":")
            self.add(name, pattern or "*", times=int(times) if times else None)

    def add(self, name: str, pattern: str = "*", *, times: int | None = None) -> None:
        """`times` machines have it, None for all."""
        with self._lock:
            self._rules.append(_Rule(Fault(name), pattern, times))

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def take(self, machine: str) -> frozenset[Fault]:
        with self._lock:
            hits = [rule for rule in self._rules if fnmatch.fnmatch(machine, rule.pattern) and rule.left != 0]
            for rule in hits:
                rule.left = None if rule.left is None else rule.left - 1
        return frozenset(rule.fault for rule in hits)
