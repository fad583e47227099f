"""Wall time of provisioning a 3-node gateway ÷ the critical path of vCenter's and the guests' delays.

Everything runs as in production, from nothing: PostgreSQL, web, workers, dispatcher, the lab's vCenter and
its guests. Clones take 3 s and run side by side; then each of the three masters in turn is powered on (1 s)
and boots (3 s), for a node joins when the one before it has joined. Measured from Confirm to Running.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from palette_portal.launcher.postgres import EmbeddedPostgres
from palette_portal.launcher.tree import ProcessTree, Service
from tests.lab.demo.programs import Programs, background_services, web_service
from tests.lab.demo.vcenter import login
from tests.lab.vcsim import Lab

if TYPE_CHECKING:
    from palette_portal.orchestration.models import Operation, Step

NODES = 3
CLONE_SECONDS, POWER_ON_SECONDS, BOOT_SECONDS = 3.0, 1.0, 3.0
CRITICAL_SECONDS = CLONE_SECONDS + NODES * (POWER_ON_SECONDS + BOOT_SECONDS)
TARGET = 1.15
PATIENCE_SECONDS = 120
DURATIONS = {
    "clone_seconds": CLONE_SECONDS,
    "power_on_seconds": POWER_ON_SECONDS,
    "power_off_seconds": 0.1,
    "destroy_seconds": 0.1,
    "reconfigure_seconds": 0.0,
}


@dataclass(frozen=True)
class Result:
    value: float
    unit: str
    table: str


def measure() -> Result:
    with stack() as lab:
        operation = provision(lab)
        running_at = operation.steps.get(key="cluster-running").finished_at
        wall = (running_at - operation.created_at).total_seconds()
        return Result(wall / CRITICAL_SECONDS, "ratio", report(operation, wall))


@contextmanager
def stack() -> Iterator[Lab]:
    with ExitStack() as closing:
        data = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="palette-bench-")))
        data.chmod(0o755)
        server = EmbeddedPostgres(data / "postgres")
        closing.callback(server.destroy)
        server.start()
        port = free_port()
        os.environ.update(environment(server.url, data, port))
        migrate()
        lab = closing.enter_context(Lab(durations=DURATIONS))
        tree = closing.enter_context(ProcessTree(say=lambda line: print(line, file=sys.stderr)))
        programs = Programs(environment={}, logs=data / "logs")
        for service in (*background_services(programs), guests(programs, lab)):
            tree.start(service)
        tree.start(web_service(programs, port=port, reload=False))
        yield lab


def environment(database_url: str, data: Path, port: int) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "palette_portal.settings",
        "SECRET_KEY": "only-for-this-measurement",
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "DATABASE_URL": database_url,
        "DATA": str(data),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "STATIC_FROM_SOURCE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def migrate() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)


def guests(programs: Programs, lab: Lab) -> Service:
    """kubeadm itself takes no time here: it is not ours to be measured."""
    pace = ["--boot-seconds", str(BOOT_SECONDS), "--init-seconds", "0", "--join-seconds", "0"]
    return programs.service(
        "guests",
        ["-m", "tests.lab.guests", "--vcenter", lab.server, *pace, "--step-seconds", "0"],
        environment=login(lab.username, lab.password),
    )


def provision(lab: Lab) -> "Operation":
    from tests.integration.provisioning.stage import make_stage

    with ExitStack() as closing:
        stage = make_stage(lab, closing.enter_context(lab.connect()), closing)
        operation = stage.start(nodes=NODES)
        wait_until(stage.has_ended, describe=stage.describe)
        return operation


def wait_until(condition: Callable[[], bool], *, describe: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"Not provisioned after {PATIENCE_SECONDS} s:\n{describe()}")
        time.sleep(0.1)


def report(operation: "Operation", wall: float) -> str:
    lines = [f"{'step':<46}{'from':>8}{'to':>8}{'took':>8}   seconds"]
    lines += [line(operation, step) for step in operation.steps.order_by("first_started_at")]
    lines += ["", f"wall time {wall:.2f} s, critical path {CRITICAL_SECONDS:.0f} s, target {TARGET}"]
    return "\n".join(lines)


def line(operation: "Operation", step: "Step") -> str:
    assert step.first_started_at and step.finished_at
    begin = (step.first_started_at - operation.created_at).total_seconds()
    end = (step.finished_at - operation.created_at).total_seconds()
    return f"{step.key:<46}{begin:>8.2f}{end:>8.2f}{end - begin:>8.2f}"


def free_port() -> int:
    from socket import socket

    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    result = measure()
    print(result.table)
    print(f"provision {result.value:.3f} {result.unit}")


if __name__ == "__main__":
    main()
