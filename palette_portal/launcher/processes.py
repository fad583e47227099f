"""Child processes that never outlive the one who started them, even when that one is killed with -9.

Start them from the main thread: Linux sends the death signal when the starting *thread* ends.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from palette_portal.launcher.accounts import Account, PopenArguments

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(death_signal: int = signal.SIGKILL) -> None:
    """Ask Linux to send this process `death_signal` when its parent is gone; elsewhere do nothing."""
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    account: Account | None = None,
    folder: Path | None = None,
    death_signal: int = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start `command` in a process group of its own; `account` is another user to become (root only)."""
    with contextlib.ExitStack() as opened:
        output = opened.enter_context(log.open("ab")) if log else None
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            env=dict(environment) if environment is not None else None,
            cwd=folder,
            process_group=0,
            preexec_fn=_follow(os.getpid(), death_signal),
            **(account.popen_arguments() if account else PopenArguments()),
        )


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Signal the child and everything it started; no error when nobody is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _follow(parent: int, death_signal: int) -> Callable[[], None]:
    def prepare() -> None:
        die_with_parent(death_signal)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return prepare
