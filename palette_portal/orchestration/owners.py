"""Which process holds a step, so that others on its machine can see that it is dead."""

import contextlib
import os
from functools import lru_cache
from pathlib import Path

PROC = Path("/proc")


def this_process() -> str:
    """Machine (this boot, this process namespace), process id and start: never the same twice."""
    return _describe(os.getpid())


def is_dead(owner: str) -> bool:
    """True only when the owner surely ended: it ran where we run, and /proc does not have it any more."""
    machine, _, process = owner.partition("/")
    pid, _, start = process.partition("/")
    if not machine or not start or machine != _machine():
        return False
    return _start_of(int(pid)) != start


@lru_cache(maxsize=1)
def _describe(pid: int) -> str:
    return f"{_machine()}/{pid}/{_start_of(pid)}"


@lru_cache(maxsize=1)
def _machine() -> str:
    """Empty where processes cannot be compared: then nobody is ever called dead."""
    with contextlib.suppress(OSError):
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{(PROC / 'self/ns/pid').stat().st_ino}"
    return ""


def _start_of(pid: int) -> str:
    """The start in clock ticks since boot; empty for one that ended, waited for or not."""
    with contextlib.suppress(OSError):
        # The name in parentheses may hold spaces; the state is the first field behind it.
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    return ""
