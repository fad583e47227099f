"""Wall time of provisioning a 3-node gateway ÷ the critical path of vCenter's and the guests' delays.

Everything runs as in production, from nothing: PostgreSQL, web, workers, dispatcher, the lab's vCenter and
its guests. Clones take 3 s and run side by side; then each of the three masters in turn is powered on (1 s)
and boots (3 s), for a node joins when the one before it has joined. Measured from Confirm in the wizard to
Running. kubeadm itself takes no time here: it is not ours to be measured.
"""

import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from palette_portal.launcher.postgres import EmbeddedPostgres
from palette_portal.launcher.tree import ProcessTree, Service
from tests.benchmarks.report import Row, report
from tests.chaos.stage import scratch_folder
from tests.lab.demo.programs import Programs, background_services, web_service
from tests.lab.demo.vcenter import login
from tests.lab.vcsim import Lab

if TYPE_CHECKING:
    from palette_portal.orchestration.models import Operation

NODES = 3
CLONE_SECONDS, POWER_ON_SECONDS, BOOT_SECONDS = 3.0, 1.0, 3.0
CRITICAL_SECONDS = CLONE_SECONDS + NODES * (POWER_ON_SECONDS + BOOT_SECONDS)
# As palette-instructions.timer says; the lab's own nodes are more impatient.
NODES_ASK_SECONDS = 15.0
PATIENCE_SECONDS = 180
DURATIONS = {
    "clone_seconds": CLONE_SECONDS,
    "power_on_seconds": POWER_ON_SECONDS,
    "power_off_seconds": 0.1,
    "destroy_seconds": 0.1,
    "reconfigure_seconds": 0.0,
}


def main() -> None:
    with stack() as lab:
        tell(provision(lab))


def tell(operation: "Operation") -> None:
    running_at = operation.steps.get(key="cluster-running").finished_at
    wall = (running_at - operation.created_at).total_seconds()
    summary = {"step": "from Confirm to Running", "began_s": 0.0, "took_s": wall}
    path = {"step": "critical path of the delays", "began_s": 0.0, "took_s": CRITICAL_SECONDS}
    report("provision", wall / CRITICAL_SECONDS, "ratio", [*steps_of(operation), summary, path])


@contextmanager
def stack(*, clone_slots: int = 0, more_environment: Mapping[str, str] | None = None) -> Iterator[Lab]:
    with scratch_folder() as folder, running_postgres(folder) as database_url:
        port = free_port()
        os.environ.update(environment(database_url, port) | dict(more_environment or {}))
        migrate()
        programs = Programs(environment={"DATA": str(folder)}, logs=folder / "logs")
        with (
            Lab(durations=DURATIONS, clone_slots=clone_slots) as lab,
            ProcessTree(say=sys.stderr.write) as tree,
        ):
            asking = {"instruction": NODES_ASK_SECONDS}
            for service in (*background_services(programs), guests(programs, lab, **asking)):
                tree.start(service)
            tree.start(web_service(programs, port=port, reload=False))
            yield lab


@contextmanager
def running_postgres(folder) -> Iterator[str]:
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    try:
        yield server.url
    finally:
        server.destroy()


def environment(database_url: str, port: int) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "palette_portal.settings",
        "SECRET_KEY": "only-for-this-measurement",
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "DATABASE_URL": database_url,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "ALLOWED_HOSTS": "127.0.0.1,testserver",
        "STATIC_FROM_SOURCE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def migrate() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)


def guests(programs: Programs, lab: Lab, **paces: float) -> Service:
    pace = {"boot": BOOT_SECONDS, "init": 0, "join": 0, "step": 0} | paces
    options = [word for name, seconds in pace.items() for word in (f"--{name}-seconds", str(seconds))]
    return programs.service(
        "guests",
        ["-m", "tests.lab.guests", "--vcenter", lab.server, *options],
        environment=login(lab.username, lab.password),
    )


def provision(lab: Lab) -> "Operation":
    """Through the wizard, as a person does."""
    from django.test import Client

    from palette_portal.orchestration.models import Operation
    from palette_portal.vsphere.session import sessions
    from tests.factories import amelia, make_gateway
    from tests.integration.gateways.configure.walk import Walk

    client = Client()
    client.force_login(amelia())
    walk = Walk(client, make_gateway(), lab)
    walk.to_summary(nodes=str(NODES))
    walk.confirm()
    sessions.close_all()
    operation = Operation.objects.get()
    wait_until_ended(operation)
    return operation


def wait_until_ended(operation: "Operation") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while operation.is_active:
        if time.monotonic() > deadline:
            raise SystemExit(f"Not provisioned after {PATIENCE_SECONDS} s: {list(steps_left(operation))}")
        time.sleep(0.1)
        operation.refresh_from_db()


def steps_left(operation: "Operation") -> Iterator[str]:
    for step in operation.steps.open().order_by("position"):
        yield f"{step.key}: {step.state} {step.reason} {step.message}"


def steps_of(operation: "Operation") -> list[Row]:
    return [
        {
            "step": step.key,
            "began_s": (step.first_started_at - operation.created_at).total_seconds(),
            "took_s": step.duration.total_seconds(),
        }
        for step in operation.steps.order_by("first_started_at")
    ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
