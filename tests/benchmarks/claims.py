"""16 workers claim every address of a /20, against 16 that take rows in a bare SKIP LOCKED loop.

Both run through Django's connection on the same PostgreSQL with its default settings, in turns; the value is
claims ÷ bare rows per second, of the medians. The bare loop knows no pool, no owner, no line and no resting
address; on the other hand it waits for the disk, which a claim leaves to the transaction that uses it.
A double or a gap among the claimed addresses ends the measurement.
"""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from cryptography.fernet import Fernet

from palette_portal.launcher.postgres import EmbeddedPostgres
from tests.benchmarks.report import Row, report
from tests.chaos.stage import scratch_folder

WORKERS = 16
ROUNDS = 3
TARGET_PER_SECOND, TARGET_RATIO = 1000, 0.8
SLOTS = "CREATE TABLE bench_slot (address inet PRIMARY KEY, owner uuid)"
FILL = (
    "TRUNCATE bench_slot;"
    " INSERT INTO bench_slot SELECT '10.20.0.1'::inet + n FROM generate_series(1, %s) n;"
    " ANALYZE bench_slot"
)
NEXT = "SELECT address FROM bench_slot WHERE owner IS NULL ORDER BY address LIMIT 1 FOR UPDATE SKIP LOCKED"
TAKE = "UPDATE bench_slot SET owner = %s WHERE address = %s"

Result = tuple[float, float, list[str]]
Work = Callable[[UUID], list[str]]


def main() -> None:
    with scratch_folder() as folder:
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        try:
            prepare(server.url)
            report("claims", *measure())
        finally:
            server.destroy()


def prepare(database_url: str) -> None:
    os.environ.update(
        {
            "DJANGO_SETTINGS_MODULE": "palette_portal.settings",
            "SECRET_KEY": "only-for-this-measurement",
            "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "DATABASE_URL": database_url,
        }
    )
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    execute(SLOTS)


def measure() -> tuple[float, str, list[Row]]:
    warm_up()
    bare, claims = [], []
    for _ in range(ROUNDS):
        pool_id, size = make_pool()
        execute(FILL, [size])
        bare.append(size / seconds(take_slots, pool_id, size))
        claims.append(size / seconds(claim_addresses, pool_id, size))
    ours, theirs = statistics.median(claims), statistics.median(bare)
    rows = [
        {"loop": "claim_address", "workers": WORKERS, "addresses": size, "per_second": ours},
        {"loop": "bare SKIP LOCKED", "workers": WORKERS, "addresses": size, "per_second": theirs},
        {"loop": "target", "workers": WORKERS, "addresses": size, "per_second": TARGET_PER_SECOND},
    ]
    return ours / theirs, "ratio", rows


def warm_up() -> None:
    """A table of some size with statistics, as autovacuum keeps them in a portal that runs."""
    claim_addresses(make_pool()[0])
    execute("ANALYZE")


def make_pool() -> tuple[UUID, int]:
    from tests.factories import make_gateway
    from tests.factories import make_pool as make

    pool = make(
        make_gateway(),
        network_type="subnet",
        start=None,
        end=None,
        subnet="10.20.0.0/20",
        prefix=20,
        gateway_address="10.20.0.1",
    )
    return pool.pk, pool.addresses.size


def seconds(work: Work, pool_id: UUID, size: int) -> float:
    """From the moment all workers are ready to the end of the last; every address once."""
    from django.db import connections

    connections.close_all()
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(WORKERS), context.SimpleQueue()
    workers = [context.Process(target=run, args=(work, pool_id, barrier, results)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    told: list[Result] = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    taken = [address for _, _, addresses in told for address in addresses]
    if len(taken) != size or len(set(taken)) != size:
        raise SystemExit(f"{len(taken)} taken, {len(set(taken))} different ones, {size} exist.")
    return max(end for _, end, _ in told) - min(begin for begin, _, _ in told)


def run(work: Work, pool_id: UUID, barrier: Any, results: Any) -> None:
    from django.db import connection

    connection.ensure_connection()
    barrier.wait()
    begin = time.monotonic()
    taken = work(pool_id)
    results.put((begin, time.monotonic(), taken))


def claim_addresses(pool_id: UUID) -> list[str]:
    from ippools.actions import PoolExhausted, claim_address
    from ippools.models import IPPool

    pool, cluster, taken = IPPool.objects.get(pk=pool_id), uuid4(), []
    try:
        while True:
            claim = claim_address(
                pool,
                cluster_id=cluster,
                owner_kind="machine",
                owner_id=uuid4(),
                owner_name="worker-1",
                purpose="node",
            )
            taken.append(claim.address)
    except PoolExhausted:
        return taken


def take_slots(pool_id: UUID) -> list[str]:
    from django.db import connection, transaction

    taken = []
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(NEXT)
            row = cursor.fetchone()
            if row is None:
                return taken
            cursor.execute(TAKE, [uuid4(), row[0]])
        taken.append(str(row[0]))


def execute(statement: str, values: list[object] | None = None) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, values)


if __name__ == "__main__":
    main()
