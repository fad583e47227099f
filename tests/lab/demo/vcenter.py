"""The demo's vCenter and its guest player. Login, certificate and machines stay."""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

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


def start_vcenter(
    tree: ProcessTree, programs: Programs, keepsakes: Keepsakes, options: Options
) -> VCenterFacts:
    endpoint = options.folder / "vcenter.json"
    endpoint.unlink(missing_ok=True)
    tree.start(simulator_service(programs, keepsakes, options, endpoint))
    announced = json.loads(endpoint.read_text())
    facts = VCenterFacts(
        server=announced["server"],
        username=announced["username"],
        password=announced["password"],
        sha256_thumbprint=announced["thumbprint_sha256"],
    )
    tree.start(guests_service(programs, facts))
    return facts


def simulator_service(programs: Programs, keepsakes: Keepsakes, options: Options, endpoint: Path) -> Service:
    def wait_ready(process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + BUILD_AND_START_SECONDS
        while not endpoint.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotReady(f"The simulated vCenter did not start:\n{programs.log('vcenter').read_text()}")
            time.sleep(0.1)

    port = free_port(keepsakes.vcenter_port)
    files = ["--data", str(options.folder / "vcenter"), "--endpoint", str(endpoint)]
    return programs.service(
        "vcenter",
        ["-m", "tests.lab", "--port", str(port), *files],
        environment=login(keepsakes.vcenter_username, keepsakes.vcenter_password),
        wait_ready=wait_ready,
    )


def guests_service(programs: Programs, facts: VCenterFacts) -> Service:
    return programs.service(
        "guests",
        ["-m", "tests.lab.guests", "--vcenter", facts.server],
        environment=login(facts.username, facts.password),
    )


def login(username: str, password: str) -> dict[str, str]:
    """By environment: a command line is for everybody to read."""
    return {"LAB_USERNAME": username, "LAB_PASSWORD": password}
