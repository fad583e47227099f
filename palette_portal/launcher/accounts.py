"""Which system user runs PostgreSQL: it refuses root, so root lends it another account."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict


class PopenArguments(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    def popen_arguments(self) -> PopenArguments:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        os.chown(path, self.uid, self.gid)

    def can_enter(self, folder: Path) -> bool:
        """True when this user can reach `folder`; asked of the kernel, so that ACLs and mounts count."""
        return self._run(["test", "-x", str(folder)])

    def can_run(self, program: Path) -> bool:
        return self._run([str(program), "--version"])

    def _run(self, command: list[str]) -> bool:
        try:
            done = subprocess.run(command, capture_output=True, cwd="/", **self.popen_arguments())
        except PermissionError:
            return False
        return done.returncode == 0


def account_for(*folders: Path) -> Account | None:
    """The account to become, None when we are an ordinary user: the owner of a folder, else a known one."""
    if os.geteuid() != 0:
        return None
    for folder in folders:
        if folder.exists() and folder.stat().st_uid != 0:
            return _account(pwd.getpwuid(folder.stat().st_uid))
    for name in ("postgres", "nobody"):
        try:
            return _account(pwd.getpwnam(name))
        except KeyError:
            continue
    raise LookupError(
        "PostgreSQL does not run as root and there is no user 'postgres' or 'nobody'. "
        "Create one, or run as an ordinary user, or set DATABASE_URL."
    )


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
