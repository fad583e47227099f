"""A step as apps write them: look, act once outside, keep the reference, wait, be done. It counts itself."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from palette_portal.orchestration.outcomes import Done, Outcome, Wait
from palette_portal.orchestration.steps import StepContext
from tests.chaos.boundaries import folder, pass_boundary


def ensure_thing(context: StepContext) -> Outcome:
    with alone(context):
        write(context, "chaos_execution")
        pass_boundary("began", context.key)
        if not context.external_ref:
            return make(context)
        return Done(f"{context.key} is made.", write=lambda: write(context, "chaos_effect"))


def ensure_killed_once(context: StepContext) -> Outcome:
    write(context, "chaos_execution")
    thing = folder() / "things" / f"{context.operation_id}-{context.key}"
    if not thing.exists():
        thing.touch()
        time.sleep(3600)
    return Done()


def make(context: StepContext) -> Outcome:
    thing = folder() / "things" / f"{context.operation_id}-{context.key}"
    if not thing.exists():
        context.still_mine()
        with thing.open("a") as lines:
            lines.write("made\n")
        pass_boundary("acted", context.key)
    context.keep_reference(f"thing:{thing.name}")
    pass_boundary("kept", context.key)
    return Wait(0.2, f"{context.key} is being made.", external_ref=f"thing:{thing.name}")


def write(context: StepContext, table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (operation, key) VALUES (%s, %s)", [str(context.operation_id), context.key]
        )


@contextmanager
def alone(context: StepContext) -> Iterator[None]:
    """Notice a second execution at the same time: the kernel lets go of the lock when its process dies."""
    with (folder() / "locks" / f"{context.operation_id}-{context.key}").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with (folder() / "overlaps").open("a") as overlaps:
                overlaps.write(f"{context.key} in {os.getpid()}\n")
        yield
