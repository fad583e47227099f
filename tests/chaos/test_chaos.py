import itertools
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.begin import keys
from tests.chaos.boundaries import BOUNDARIES, plan_kill, planned_kills
from tests.chaos.stage import Stage, descendants, scratch_folder

SECONDS = float(os.environ.get("CHAOS_SECONDS", "15"))
RESUME_SECONDS = 15


@pytest.fixture(scope="module")
def stage():
    with scratch_folder() as folder, Stage(folder) as stage:
        stage.wait_for(stage.are_all_up, seconds=60)
        yield stage


def has_ended(stage: Stage, operation: str) -> bool:
    return stage.ask("SELECT state FROM orchestration_operation WHERE id = %s", operation) == [("Succeeded",)]


def assert_each_step_took_effect_once(stage: Stage, operation: str) -> None:
    effects = Counter(
        key for (key,) in stage.ask("SELECT key FROM chaos_effect WHERE operation = %s", operation)
    )
    made = {path.name: path.read_text() for path in (stage.folder / "things").glob(f"{operation}-*")}
    assert effects == Counter(keys())
    assert made == {f"{operation}-{key}": "made\n" for key in keys()}
    assert not (stage.folder / "overlaps").exists(), (stage.folder / "overlaps").read_text()


def assert_events_are_complete(stage: Stage, operation: str) -> None:
    rows = stage.ask(
        "SELECT number, reason FROM orchestration_event WHERE tenant_id ="
        " (SELECT tenant_id FROM orchestration_operation WHERE id = %s) ORDER BY number",
        operation,
    )
    reasons = Counter(reason for _, reason in rows)
    assert [number for number, _ in rows] == list(range(1, len(rows) + 1))
    assert (reasons["StepDone"], reasons["OperationSucceeded"]) == (len(keys()), 1)


def test_worker_killed_at_every_boundary_of_a_step(stage):
    for boundary, key in zip(itertools.cycle(BOUNDARIES), keys(), strict=False):
        plan_kill(stage.folder, boundary, key)

    operation = stage.begin_operation()
    stage.wait_for(lambda: has_ended(stage, operation), seconds=120)

    # A bell may be heard after another worker has done its step.
    stage.wait_for(lambda: planned_kills(stage.folder) == [], seconds=30)
    assert_each_step_took_effect_once(stage, operation)
    assert_events_are_complete(stage, operation)
    assert max(pauses_after_deaths(stage.folder / "kills", stage)) < RESUME_SECONDS


def pauses_after_deaths(kills: Path, stage: Stage) -> list[float]:
    """From each kill to the next thing that happened to the operation."""
    moments = [
        moment
        for (moment,) in stage.ask(
            "SELECT extract(epoch FROM began_at)::float FROM chaos_execution ORDER BY 1"
        )
    ]
    deaths = [float(path.name.rpartition("-")[2]) for path in kills.glob("died-*")]
    later = [[moment - death for moment in moments if moment > death] for death in deaths]
    return [min(pauses) for pauses in later if pauses]


def test_idle_children_killed_in_all_trees_at_once(stage):
    """A child may die with a queue's lock in its hands, which stops a tree of stock django-q2 for ever."""
    trees = [program.process.pid for name, program in stage.programs.items() if name.startswith("worker")]
    stage.wait_for(stage.are_all_up, seconds=30)
    for position in random.sample(range(1, 6), 2 if SECONDS < 60 else 5):
        for pid in trees:
            os.kill(descendants(pid)[position], signal.SIGKILL)
        operation = stage.begin_operation("one_step")
        stage.wait_for(lambda operation=operation: has_ended(stage, operation), seconds=RESUME_SECONDS)
        stage.wait_for(stage.are_all_up, seconds=30)


def test_anybody_killed_at_random(stage):
    chance = random.Random(int(os.environ.get("CHAOS_SEED", time.time())))
    operations = [stage.begin_operation()]
    killed, calm_at = [], time.monotonic() + SECONDS
    while time.monotonic() < calm_at:
        next_kill = time.monotonic() + chance.uniform(0.5, 2)
        stage.wait_for(lambda moment=next_kill: time.monotonic() > moment, seconds=10)
        killed.append(stage.kill_somebody(chance))
        if has_ended(stage, operations[-1]):
            operations.append(stage.begin_operation())
    stage.wait_for(stage.are_all_up, seconds=30)
    back_at = time.time()

    stage.wait_for(lambda: all(has_ended(stage, operation) for operation in operations), seconds=60)

    for operation in operations:
        assert_each_step_took_effect_once(stage, operation)
        assert_events_are_complete(stage, operation)
    assert seconds_until_next_execution(stage, back_at) < RESUME_SECONDS, killed


def seconds_until_next_execution(stage: Stage, moment: float) -> float:
    """0 when nothing was left to do."""
    rows = stage.ask(
        "SELECT extract(epoch FROM min(began_at))::float FROM chaos_execution"
        " WHERE began_at > to_timestamp(%s)",
        moment,
    )
    return (rows[0][0] or moment) - moment
