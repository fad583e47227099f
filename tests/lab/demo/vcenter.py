"""The demo's vCenter and its guest player. Login, certificate and machines stay."""

import json
import time
from dataclasses import dataclass

from palette_portal.launcher.tree import ProcessTree, Service
from tests.lab.demo.keepsakes import Keepsakes, free_port
from tests.lab.demo.options import Options
from tests.lab.demo.programs import NotReady, Programs

BUILD_AND_START_SECONDS = 300


@dataclass(frozen=True)
class VCenterFacts:
    server: str
    username: str
    password: str
    sha256_thumbprint: str

    def lines(self) -> list[str]:
        return [
            f"  vCenter          {self.server}",
            f"                   {self.username}  {self.password}",
            f"                   SHA-256 {self.sha256_thumbprint}",
            "                   simulated; its machines are there again when the demo is",
        ]


class VCenter:
    """Begun early, because its first start builds the simulator; waited for when the rest is there."""

    def __init__(self, tree: ProcessTree, programs: Programs, keepsakes: Keepsakes, options: Options) -> None:
        self._tree, self._programs = tree, programs
        self._endpoint = options.folder / "vcenter.json"
        self._endpoint.unlink(missing_ok=True)
        files = ["--data", str(options.folder / "vcenter"), "--endpoint", str(self._endpoint)]
        service = programs.service(
            "vcenter",
            ["-m", "tests.lab", "--port", str(free_port(keepsakes.vcenter_port)), *files],
            environment=login(keepsakes.vcenter_username, keepsakes.vcenter_password),
        )
        self._process = tree.start(service)

    def wait_ready(self) -> VCenterFacts:
        deadline = time.monotonic() + BUILD_AND_START_SECONDS
        while not self._endpoint.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = self._programs.log("vcenter").read_text()
                raise NotReady(f"The simulated vCenter did not start:\n{log}")
            time.sleep(0.1)
        announced = json.loads(self._endpoint.read_text())
        facts = VCenterFacts(
            server=announced["server"],
            username=announced["username"],
            password=announced["password"],
            sha256_thumbprint=announced["thumbprint_sha256"],
        )
        self._tree.start(guests_service(self._programs, facts))
        return facts


def guests_service(programs: Programs, facts: VCenterFacts) -> Service:
    return programs.service(
        "guests",
        ["-m", "tests.lab.guests", "--vcenter", facts.server],
        environment=login(facts.username, facts.password),
    )


def login(username: str, password: str) -> dict[str, str]:
    """By environment: a command line is for everybody to read."""
    return {"LAB_USERNAME": username, "LAB_PASSWORD": password}
