"""Sessions that the portal leaves on vCenter when it is shut down; the value is their number.

Web, two workers and the dispatcher run as in production. 200 operations of every kind are done, then one
worker is killed with -9 and works again, then all is shut down. After the operations and after the kill no
process may have more than one session for the account, and none of a killed process may be left.
"""

import json
import os
import signal
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palette_portal.launcher.processes import signal_group
from palette_portal.launcher.tree import Process, ProcessTree, Service
from tests.benchmarks.deploying import Deployer, make_deployer
from tests.benchmarks.provision import environment, free_port, guests, migrate, running_postgres
from tests.benchmarks.report import Row, report
from tests.chaos.stage import scratch_folder
from tests.lab.demo.programs import Programs, background_services, web_service
from tests.lab.vcsim import QUICK, Lab

if TYPE_CHECKING:
    from clusters.models import Cluster
    from palette_portal.orchestration.models import Operation

# Each does ten operations.
ROUNDS = int(os.environ.get("BENCH_SESSION_ROUNDS", "20"))
PATIENCE_SECONDS = 300


@dataclass
class Portal:
    lab: Lab
    tree: ProcessTree
    processes: dict[str, Process]
    port: int
    records: Path
    cookie: str = ""

    def wait(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit(f"Not within {PATIENCE_SECONDS} s: {what}")
            self.tree.look_after()
            time.sleep(0.1)

    def finish(self, *operations: "Operation") -> None:
        for operation in operations:
            self.wait(lambda operation=operation: _has_ended(operation), str(operation))

    def get(self, path: str) -> None:
        """As a browser does, so that the web process has a session as well."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        request.add_header("Cookie", self.cookie)
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()


def main() -> None:
    rows = []
    with stack() as portal:
        deployer = make_deployer(portal.lab)
        sign_in(portal)
        count = do_operations(portal, deployer)
        rows.append(look(portal, f"{count} operations"))
        kill_a_worker(portal, deployer)
        rows.append(look(portal, "the kill of a worker"))
        stop_guests(portal)
        portal.tree.stop()
        left = len(portal.lab.sessions())
    rows.append(
        {"after": "shutdown", "sessions": left, "processes": 0, "most_of_a_process": 0, "unknown": left}
    )
    check(rows)
    report("sessions", left, "sessions", rows)


@contextmanager
def stack() -> Iterator[Portal]:
    with scratch_folder() as folder, running_postgres(folder) as database_url:
        port = free_port()
        os.environ.update(environment(database_url, port) | {"DATA": str(folder)})
        migrate()
        programs = Programs(environment={"DATA": str(folder)}, logs=folder / "logs")
        with Lab(durations=QUICK) as lab, ProcessTree(say=sys.stderr.write) as tree:
            services = [*background_services(programs), guests(programs, lab)]
            services.append(web_service(programs, port=port, reload=False))
            processes = {service.name: _start(tree, service) for service in services}
            yield Portal(lab, tree, processes, port, folder / "sessions")


def _start(tree: ProcessTree, service: Service) -> Process:
    return tree.start(service)


def sign_in(portal: Portal) -> None:
    from django.test import Client

    from gateways.models import PrivateCloudGateway
    from tests.factories import amelia

    PrivateCloudGateway.objects.update(size=3)  # six clusters at a time
    client = Client()
    client.force_login(amelia())
    portal.cookie = f"sessionid={client.cookies['sessionid'].value}"


def do_operations(portal: Portal, deployer: Deployer) -> int:
    from palette_portal.orchestration.models import Operation

    for number in range(ROUNDS):
        one_round(portal, deployer, number)
    kinds = Counter(Operation.objects.values_list("kind", flat=True))
    kinds["search for orphans"] = ROUNDS  # in the web process
    sys.stdout.write(f"Operations: {json.dumps(kinds)}\n")
    return sum(kinds.values())


def one_round(portal: Portal, deployer: Deployer, number: int) -> None:
    """Provision three, grow one, delete it, force one, abort one; check the account; look for orphans."""
    from clusters.actions.leaving import abort_cluster, delete_cluster, force_delete_cluster
    from clusters.actions.pools import resize_pool
    from clusters.models import Cluster

    grown, forced, aborted = (
        deployer.deploy(f"{name}-{number}", masters=1, workers=1) for name in ("grown", "forced", "aborted")
    )
    portal.wait(lambda: _cloned(aborted), "the first clone")
    portal.finish(abort_cluster(cluster=_fresh(aborted), by=deployer.by))
    portal.finish(_latest(grown), _latest(forced))
    pool = _fresh(grown).machine_pools.get(name="workers")
    portal.finish(resize_pool(pool=pool, size=2, by=deployer.by))
    first = delete_cluster(cluster=_fresh(forced), by=deployer.by)
    Cluster.objects.filter(pk=forced.pk).update(deleting_at="2020-01-01T00:00Z")
    second = force_delete_cluster(cluster=_fresh(forced), by=_admin())
    portal.finish(first, second, delete_cluster(cluster=_fresh(grown), by=deployer.by))
    portal.finish(check_account(grown))
    portal.get(f"/cloud-accounts/{_fresh(grown).cloud_account_id}/orphans/")


def check_account(cluster: "Cluster") -> "Operation":
    from gateways.prerequisites.actions import start_check
    from palette_portal.orchestration.models import Operation

    account = _fresh(cluster).cloud_account
    assert account is not None
    start_check(account=account, by=_admin())
    return Operation.objects.filter(kind="check").latest("created_at")


def kill_a_worker(portal: Portal, deployer: Deployer) -> None:
    """Its session cannot be logged out by itself; the work goes on, and the supervisor starts it again."""
    signal_group(portal.processes["worker-1"], signal.SIGKILL)
    killed = deployer.deploy("after-the-kill", masters=1, workers=2)
    portal.finish(_latest(killed))
    portal.wait(lambda: not _of_the_dead(portal), "the sessions of the killed worker end")


def stop_guests(portal: Portal) -> None:
    portal.processes["guests"].send_signal(signal.SIGTERM)
    portal.processes["guests"].wait(20)


def look(portal: Portal, after: str) -> Row:
    """The portal's sessions by process; the lab's guests have one of their own, which is not counted."""
    by_process = Counter(pid for pid, _ in _records(portal))
    known = {cookie for _, cookie in _records(portal)}
    open_now = [session["key"] for session in portal.lab.sessions() if session["kind"] == "soap"]
    unknown = [key for key in open_now if not any(key in cookie for cookie in known)]
    return {
        "after": after,
        "sessions": len(open_now) - GUESTS,
        "processes": len(by_process),
        "most_of_a_process": max(by_process.values(), default=0),
        "unknown": len(unknown) - GUESTS,
    }


# The player of the guests watches with one session, and reads with another.
GUESTS = 1


def _records(portal: Portal) -> list[tuple[int, str]]:
    """Process id and cookie of each session that a process noted."""
    from palette_portal.encryption import decrypt

    found = []
    for path in portal.records.iterdir():
        if not path.name.startswith("."):
            note: dict[str, Any] = json.loads(decrypt(path.read_text()))
            found.append((int(path.name.partition("-")[0]), str(note["cookie"])))
    return found


def _of_the_dead(portal: Portal) -> list[int]:
    return [pid for pid, _ in _records(portal) if not Path(f"/proc/{pid}").exists()]


def check(rows: Sequence[Row]) -> None:
    for row in rows[:-1]:
        if row["most_of_a_process"] > 1 or row["unknown"] != 0:  # type: ignore[operator]
            raise SystemExit(f"More than one session for the account and process: {row}")


def _has_ended(operation: "Operation") -> bool:
    operation.refresh_from_db()
    return not operation.is_active


def _latest(cluster: "Cluster") -> "Operation":
    from palette_portal.orchestration.models import Operation

    return Operation.objects.of(cluster.subject).latest("created_at")


def _cloned(cluster: "Cluster") -> bool:
    return bool(_latest(cluster).steps.filter(key__endswith="/cloned", state="Done").exists())


def _fresh(cluster: "Cluster") -> "Cluster":
    from clusters.models import Cluster

    return Cluster.objects.select_related("cloud_account", "project").get(pk=cluster.pk)


def _admin() -> Any:
    from palette_portal.tenants.models import User

    return User.objects.get(email__startswith="amelia@")


if __name__ == "__main__":
    main()
