"""How long the server takes for the cluster list and Cluster Details: 10,000 clusters, 1,000,000 events.

Through the whole of Django, in this process, without a network. Each page is asked for many times, in turns,
first with 100 clusters and then with 10,000. The value is the slowest page's 95th percentile; a page that
needs other queries at 10,000 than at 100 ends the measurement. Other work on the machine makes times longer;
therefore the ratio compares processor time, of this process and of its database backend.

Rows and finished steps are drawn once for each shape, so later rounds find them; "first look" finds none.
"""

import gc
import os
import time
from collections.abc import Mapping

from cryptography.fernet import Fernet

from palette_portal.launcher.postgres import EmbeddedPostgres
from tests.benchmarks.report import Row, quantile, report
from tests.benchmarks.stream import cpu_seconds_of
from tests.chaos.stage import scratch_folder

FEW, MANY = 100, 10_000
WARM_UP, ROUNDS = 3, 80
FIRST_LOOK = ", first look"


def main() -> None:
    with scratch_folder() as folder:
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        try:
            prepare(server.url)
            report("lists", *measure())
        finally:
            server.destroy()


def prepare(database_url: str) -> None:
    os.environ.update(
        {
            "DJANGO_SETTINGS_MODULE": "palette_portal.settings",
            "SECRET_KEY": "only-for-this-measurement",
            "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "DATABASE_URL": database_url,
            "STATIC_FROM_SOURCE": "1",
            "ALLOWED_HOSTS": "testserver",
        }
    )
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)


def measure() -> tuple[float, str, list[Row]]:
    from tests.benchmarks.lists_scene import Scene

    scene = Scene()
    scene.grow_to(FEW)
    few = Visit(scene)
    few.ask()
    scene.grow_to(MANY)
    many = Visit(scene)
    many.ask()
    rows = [row_of(name, few, many) for name in many.seconds]
    worst = max(float(str(row["p95_ms"])) for row in rows)
    return worst, "ms", rows


def row_of(name: str, few: "Visit", many: "Visit") -> Row:
    """The ratio is of the work done: what else the machine does disturbs it least."""
    if few.queries[name] != many.queries[name]:
        raise RuntimeError(f"{name}: {few.queries[name]} queries, then {many.queries[name]}.")
    before, now = (visit.work[name] / ROUNDS * 1000 for visit in (few, many))
    return {
        "page": name,
        "queries": many.queries[name],
        f"cpu_ms_at_{FEW}": round(before, 1),
        f"cpu_ms_at_{MANY}": round(now, 1),
        "ratio": round(now / before, 2),
        "p50_ms": round(quantile(many.seconds[name], 0.5) * 1000, 1),
        "p95_ms": round(quantile(many.seconds[name], 0.95) * 1000, 1),
    }


class Visit:
    """The tenant admin, who sees most, asks for every page in turns."""

    def __init__(self, scene: object) -> None:
        from django.test import Client

        from tests.benchmarks.lists_scene import Scene

        assert isinstance(scene, Scene)
        self.scene = scene
        self.client = Client()
        self.client.force_login(scene.admin)
        self.pages = pages_of(scene)
        self.seconds: dict[str, list[float]] = {name: [] for name in self.pages}
        # Processor time of this process and of its database backend, all rounds together.
        self.work = dict.fromkeys(self.pages, 0.0)
        self.queries: dict[str, int] = {}

    def ask(self) -> None:
        for name, address in self.pages.items():
            self.queries[name] = self._count(address)
        for _ in range(WARM_UP):
            for address in self.pages.values():
                self._get(address)
        freeze()
        backend = backend_pid()
        # The first looks come last, or no other page would find anything drawn.
        first = [name for name in self.pages if name.endswith(FIRST_LOOK)]
        for names in ([name for name in self.pages if name not in first], first):
            for _ in range(ROUNDS):
                for name in names:
                    self._measure(name, backend)

    def _measure(self, name: str, backend: int) -> None:
        if name.endswith(FIRST_LOOK):
            forget_what_is_drawn()
        work, began = work_done(backend), time.perf_counter()
        self._get(self.pages[name])
        self.seconds[name].append(time.perf_counter() - began)
        self.work[name] += work_done(backend) - work

    def _get(self, address: str) -> None:
        # Older events are a part of the page.
        headers = {"HX-Request": "true"} if "before=" in address else {}
        response = self.client.get(address, headers=headers)
        if response.status_code != 200:
            raise RuntimeError(f"{address}: {response.status_code}")

    def _count(self, address: str) -> int:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        self._get(address)
        with CaptureQueriesContext(connection) as captured:
            self._get(address)
        return len(captured)


def freeze() -> None:
    """As the web process does when it has started (palette_portal/asgi.py)."""
    gc.collect()
    gc.freeze()


def forget_what_is_drawn() -> None:
    from clusters.templatetags.cluster_parts import _done_shape, _row_shape, cluster_row

    for drawn in (cluster_row, _row_shape, _done_shape):
        drawn.cache_clear()


def work_done(backend: int) -> float:
    return time.process_time() + cpu_seconds_of(backend)


def backend_pid() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def pages_of(scene: object) -> Mapping[str, str]:
    from clusters.keyset import Cursor
    from clusters.models import Cluster
    from palette_portal.orchestration.models import Event
    from tests.benchmarks.lists_scene import SHOWN_EVENTS, Scene

    assert isinstance(scene, Scene)
    last = Cluster.objects.order_by("-name")[50]
    deep = Cursor((last.name, str(last.pk))).encode()
    project, gateway, version = scene.projects[3].pk, scene.gateways[1].pk, scene.versions[2]
    details = f"/clusters/{scene.shown.pk}/"
    newest = Event.objects.of(scene.shown.subject).last_number()
    deep_event = newest - SHOWN_EVENTS + 60
    sorts = ("name", "state", "-health", "profile", "-version", "gateway", "project")
    return {
        "list": "/clusters/",
        f"list{FIRST_LOOK}": "/clusters/",
        "list, last page": f"/clusters/?sort=name&at={deep}",
        "filter by state": "/clusters/?state=Running&state=Pending",
        "filter by several": f"/clusters/?health=Unhealthy&project={project}&gateway={gateway}",
        "filter by profile": f"/clusters/?profile={version.profile_id}",
        "filter by tag": "/clusters/?tag=tier:1",
        "search, many found": "/clusters/?q=prod",
        "search, few found": "/clusters/?q=0791",
        "search an address": "/clusters/?q=10.17.0.18",
        "search in vain": "/clusters/?q=nothing-like-this",
        **{f"sort by {sort.lstrip('-')}": f"/clusters/?sort={sort}" for sort in sorts},
        "details": details,
        f"details{FIRST_LOOK}": details,
        "nodes": f"{details}nodes/",
        "events, first page": f"{details}events/",
        "events, deep page": f"{details}events/?before={deep_event}",
        "events, search": f"{details}events/?q=esx-7&severity=Error",
        "events, archived": f"{details}events/?archived=1&before={newest - 20_000}",
        "settings": f"{details}settings/",
    }


if __name__ == "__main__":
    main()
