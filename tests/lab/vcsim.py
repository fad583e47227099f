"""`Lab`: a running vCenter simulator with the demo inventory, as a context manager.

It ends with its parent: the simulator reads a pipe that closes when this process goes, however it goes.
"""

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tests.lab import build, upstream
from tests.lab.api import VSphere
from tests.lab.control import Control, Faults, NoControl

if TYPE_CHECKING:
    from palette_portal.vsphere.session import Credentials

QUICK = {
    "clone_seconds": 0.3,
    "power_on_seconds": 0.1,
    "power_off_seconds": 0.1,
    "destroy_seconds": 0.1,
    "reconfigure_seconds": 0.0,
}

MACHINES = "machines.json"


class Lab(Faults):
    server: str
    thumbprint_sha256: str

    def __init__(
        self,
        *,
        port: int = 0,
        data: Path | None = None,
        username: str = "administrator@vsphere.local",
        password: str | None = None,
        version: str = "8.0.3",
        durations: dict[str, float] | None = None,
        keep_machines: bool = False,
        size: dict[str, int] | None = None,
        clone_slots: int = 0,
    ) -> None:
        """`keep_machines`: machines are there again when the lab starts anew with the same `data`.

        `clone_slots`: so many clones run at once, others are queued; 0 for no limit.
        `size`: clusters, hosts of each, machines that nobody uses; the demo's inventory without it.
        """
        self.port, self.version = port, version
        self.username, self.password = username, password or secrets.token_urlsafe(12)
        self.durations = QUICK if durations is None else durations
        self._keep_data, self._keep_machines = data is not None, keep_machines
        self.data = data or Path(tempfile.mkdtemp(prefix="palette-lab-"))
        self._size = size or {}
        self._clone_slots = clone_slots
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def is_upstream(self) -> bool:
        return bool(os.environ.get("VCSIM"))

    def start(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        if self.is_upstream:
            self._process, self.server = upstream.start(self.port, self.username, self.password, self.data)
            self.thumbprint_sha256 = upstream.thumbprint(self.server)
            upstream.seed(self.login())
            self.control = NoControl()
            return
        announced = self._start_ours()
        self.server, self.thumbprint_sha256 = announced["server"], announced["thumbprint_sha256"]
        self.control = Control(announced["control"])

    def _start_ours(self) -> dict[str, str]:
        log = (self.data / "vcenter.log").open("w")
        login = {"LAB_USERNAME": self.username, "LAB_PASSWORD": self.password}
        self._process = subprocess.Popen(
            self._command(),
            env=os.environ | login,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        log.close()
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise build.LabUnavailable(f"The lab did not start: {(self.data / 'vcenter.log').read_text()}")
        announced: dict[str, str] = json.loads(line)
        return announced

    def _command(self) -> list[str]:
        flags = {
            "listen": f"127.0.0.1:{self.port}",
            "data": str(self.data.resolve()),
            "version": self.version,
        }
        if self._keep_machines:
            flags["keep"] = str(self.data.resolve() / MACHINES)
        if self._clone_slots:
            flags["clone-slots"] = str(self._clone_slots)
        flags |= {name: str(number) for name, number in self._size.items()}
        timing = {name.replace("_", "-"): str(value) for name, value in self.durations.items()}
        options = [part for name, value in (flags | timing).items() for part in (f"-{name}", value)]
        return [str(build.program()), "-lifeline", *options]

    def wait(self) -> int:
        assert self._process
        return self._process.wait()

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=10)
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    pipe.close()
            self._process = None
        if not self._keep_data:
            shutil.rmtree(self.data, ignore_errors=True)

    def login(self) -> dict[str, str]:
        """server, username, password, thumbprint_sha256"""
        return {
            "server": self.server,
            "username": self.username,
            "password": self.password,
            "thumbprint_sha256": self.thumbprint_sha256,
        }

    def credentials(self, **changes: Any) -> "Credentials":
        """The portal's own credentials for this vCenter, with some fields changed."""
        from palette_portal.vsphere.session import Credentials

        return Credentials(**(self.login() | changes))

    def connect(self) -> VSphere:
        """A session of the test's own, to look and to do by hand what an administrator does."""
        return VSphere(**self.login())
