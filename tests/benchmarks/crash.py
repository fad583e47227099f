"""What is doubled, orphaned or leaked when something dies in every step: the value is the sum.

The same stack as `provision`, with 1 master and 1 worker. For each victim a cluster is deployed, scaled and
deleted, and another one is aborted half-way; once in every step the victim is struck: a worker before it
acts, when it has acted, and when its result is recorded; dispatcher, web and PostgreSQL by kill -9; vCenter
by an outage of a second, and by doing what was asked without an answer. Each operation has to end well.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palette_portal.launcher.postgres import EmbeddedPostgres
from palette_portal.launcher.tree import ProcessTree, Service
from tests.benchmarks.deploying import Deployer, make_deployer
from tests.benchmarks.provision import environment, free_port, guests, migrate, steps_left
from tests.benchmarks.report import Row, report
from tests.chaos.stage import scratch_folder
from tests.lab.demo.programs import Programs, background_services, postgres_service, web_service
from tests.lab.vcsim import QUICK, Lab

if TYPE_CHECKING:
    from clusters.models import Cluster
    from palette_portal.orchestration.models import Operation

PATIENCE_SECONDS = 240
LOOK_SECONDS = 0.1
# Whom it hits, and at which place of a step.
VICTIMS = (
    ("worker, before it acts", "worker", "claimed"),
    ("worker, after it acted", "worker", "acted"),
    ("worker, after its result is recorded", "worker", "recorded"),
    ("dispatcher", "dispatcher", "acted"),
    ("web", "web", "acted"),
    ("PostgreSQL", "PostgreSQL", "acted"),
    ("connection to vCenter", "vCenter", "claimed"),
    ("reply of vCenter to what it did", "reply", "claimed"),
)
WATCHED = ("dispatcher", "web", "PostgreSQL")


@dataclass
class Scene:
    folder: Path
    lab: Lab
    deployer: Deployer
    rows: list[Row] = field(default_factory=list)

    @contextmanager
    def striking(self, victim: str, place: str, run: str) -> Iterator[None]:
        plan = {"victim": victim, "place": place, "run": run, "control": self.lab.control.address}
        (self.folder / "strike").write_text(json.dumps(plan))
        try:
            yield
        finally:
            (self.folder / "strike").unlink(missing_ok=True)
            self.lab.heal()

    def struck(self, run: str) -> int:
        return len(list((self.folder / "struck").glob(f"{run}__*")))


def main() -> None:
    with stack() as scene:
        for number, (title, victim, place) in enumerate(chosen()):
            for operation, damage, strikes, seconds in run_all(scene, victim, place, number):
                scene.rows.append(
                    {
                        "victim": title,
                        "operation": operation,
                        "struck": strikes,
                        "took_s": seconds,
                        **damage,
                    }
                )
                sys.stderr.write(f"{scene.rows[-1]}\n")
    if len(scene.rows) < 4 * len(chosen()):
        raise SystemExit("Ended before all was struck: no result.")
    total = sum(int(str(row[kind])) for row in scene.rows for kind in ("doubled", "orphaned", "leaked"))
    report("crash", float(total), "damages", scene.rows)


def chosen() -> list[tuple[str, str, str]]:
    """All, or the one that CRASH_VICTIM names."""
    only = os.environ.get("CRASH_VICTIM")
    return [row for row in VICTIMS if only in (None, row[1])]


def run_all(
    scene: Scene, victim: str, place: str, number: int
) -> Iterator[tuple[str, dict[str, int], int, float]]:
    from clusters.actions.leaving import abort_cluster, delete_cluster
    from clusters.actions.pools import resize_pool

    by = scene.deployer.by
    name = f"crash-{number}"

    def struck(operation: str, begin: Callable[[], "Operation"]) -> tuple[str, dict[str, int], int, float]:
        run, begun = f"{name}-{operation}", time.monotonic()
        with scene.striking(victim, place, run):
            wait_until_ended(patiently(begin))
        return operation, damage(scene.lab), scene.struck(run), time.monotonic() - begun

    def pool() -> Any:
        return cluster_named(name).machine_pools.get(role="worker")

    yield struck("provision", lambda: operation_of(scene.deployer.deploy(name, masters=1, workers=1)))
    yield struck("scale", lambda: resize_pool(pool=pool(), size=2, by=by))
    yield struck("delete", lambda: delete_cluster(cluster=cluster_named(name), by=by))
    half = patiently(lambda: scene.deployer.deploy(f"{name}-b", masters=1, workers=1))
    wait_for(lambda: operation_of(half).steps.filter(key__endswith="/powered-on", state="Done").exists())
    yield struck("abort", lambda: abort_cluster(cluster=cluster_named(half.name), by=by))


def patiently(begin: Callable[[], Any]) -> Any:
    """The database may be restarting because of the strike before."""
    from django.db import InterfaceError, OperationalError, connection

    deadline = time.monotonic() + 30
    while True:
        try:
            return begin()
        except (OperationalError, InterfaceError):
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not patiently(condition):
        if time.monotonic() > deadline:
            raise SystemExit("Waited in vain.")
        time.sleep(LOOK_SECONDS)


def wait_until_ended(operation: "Operation") -> None:
    def has_ended() -> bool:
        operation.refresh_from_db()
        return not operation.is_active

    deadline = time.monotonic() + PATIENCE_SECONDS
    while not patiently(has_ended):
        if time.monotonic() > deadline:
            raise SystemExit(f"{operation} did not end: {list(steps_left(operation))}")
        time.sleep(LOOK_SECONDS)
    if operation.state != "Succeeded":
        raise SystemExit(f"{operation} ended as {operation.state}.")


def cluster_named(name: str) -> "Cluster":
    from clusters.models import Cluster

    return Cluster.objects.get(name=name)


def operation_of(cluster: "Cluster") -> "Operation":
    from palette_portal.orchestration.models import Operation

    found = Operation.objects.of(cluster.subject).order_by("-created_at").first()
    assert found is not None
    return found


def damage(lab: Lab) -> dict[str, int]:
    """Machines of vCenter against those of the portal, and held addresses against their owners."""
    return patiently(lambda: _damage(lab))


def _damage(lab: Lab) -> dict[str, int]:
    from pyVmomi import vim

    from clusters.models import Cluster, Machine
    from ippools.models import IPAddressClaim

    with lab.connect() as vcenter:
        found = vcenter.collect(vim.VirtualMachine, "name", "config.instanceUuid", "config.extraConfig")
    marked = [
        values["config.instanceUuid"]
        for values in found.values()
        if any(option.key == "palette.machine" for option in values.get("config.extraConfig", ()))
        or values["name"].startswith("crash-")
    ]
    ours = {str(key) for key in Machine.objects.present().values_list("pk", flat=True)}
    owners = ours | {str(key) for key in Cluster.objects.present().values_list("pk", flat=True)}
    held = IPAddressClaim.objects.held().values_list("owner_id", "purpose")
    return {
        "doubled": len(marked) - len(set(marked)),
        "orphaned": len(set(marked) - ours) + len(ours - set(marked)),
        "leaked": sum(str(owner) not in owners for owner, _purpose in held),
    }


@contextmanager
def stack() -> Iterator[Scene]:
    with scratch_folder() as folder:
        for name in ("struck", "victims"):
            (folder / name).mkdir()
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        port = free_port()
        os.environ.update(environment(server.url, port))
        migrate()
        # From here on the server is one more program that may die.
        server.stop()
        server.prepare()
        more = {
            "DATA": str(folder),
            "DJANGO_SETTINGS_MODULE": "tests.crash.settings",
            "CRASH_FOLDER": str(folder),
            "ORCHESTRATION_LEASE_SECONDS": "3",
        }
        programs = Programs(environment=more, logs=folder / "logs")
        with Lab(durations=QUICK) as lab, ProcessTree(say=lambda _line: None) as tree:
            start_all(tree, programs, server, lab, port)
            with looked_after(tree, folder):
                yield Scene(folder, lab, patiently(lambda: make_deployer(lab)))
        server.destroy()


def start_all(tree: ProcessTree, programs: Programs, server: EmbeddedPostgres, lab: Lab, port: int) -> None:
    tree.start(postgres_service(server))
    services: list[Service] = [*background_services(programs), guests(programs, lab)]
    for service in (*services, web_service(programs, port=port, reload=False)):
        tree.start(service)


@contextmanager
def looked_after(tree: ProcessTree, folder: Path) -> Iterator[None]:
    """What dies is started again, and its new process id is written down."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.05):
            tree.look_after()
            for running in tree._running:
                if running.service.name in WATCHED:
                    (folder / "victims" / running.service.name).write_text(str(running.process.pid))
                # A crash loop is intended here: no growing pauses.
                running.failures = 0

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
