"""From kill -9 of whoever does a step to the step's next execution; the value is the longest."""

import os
import signal
import time

from tests.benchmarks.report import Row, report
from tests.chaos.stage import Stage, scratch_folder

ROUNDS = 5
HOLDER = (
    "SELECT split_part(owner, '/', 2)::int FROM orchestration_step"
    " WHERE operation_id = %s AND state = 'Running'"
)
EXECUTIONS = "SELECT extract(epoch FROM began_at)::float FROM chaos_execution WHERE operation = %s ORDER BY 1"


def main() -> None:
    rows = measure("worker process", kill_holder)
    rows += measure("all processes of the worker", kill_mains)
    rows += measure("worker of a machine that never comes back", kill_holder, CHAOS_OWNERS_UNKNOWN="1")
    rows += measure("worker process and the database", kill_holder_and_database)
    report("resume", max(float(str(row["longest_s"])) for row in rows), "s", rows)


def measure(victim: str, kill, **environment: str) -> list[Row]:
    with (
        scratch_folder() as folder,
        Stage(folder, workers=2, dispatchers=1, environment=environment) as stage,
    ):
        stage.wait_for(stage.are_all_up, seconds=60)
        seconds = sorted(measure_once(stage, kill) for _ in range(ROUNDS))
    return [{"killed": victim, "times": ROUNDS, "median_s": seconds[ROUNDS // 2], "longest_s": seconds[-1]}]


def measure_once(stage: Stage, kill) -> float:
    """The step holds its worker until it is killed; the second execution is done at once."""
    operation = stage.begin_operation("held")
    stage.wait_for(lambda: len(stage.ask(EXECUTIONS, operation)) == 1, seconds=30)
    killed_at = time.time()
    kill(stage, operation)
    stage.wait_for(lambda: len(stage.ask(EXECUTIONS, operation)) == 2, seconds=60)
    return float(str(stage.ask(EXECUTIONS, operation)[1][0])) - killed_at


def kill_holder(stage: Stage, operation: str) -> None:
    ((pid,),) = stage.ask(HOLDER, operation)
    os.kill(int(str(pid)), signal.SIGKILL)


def kill_mains(stage: Stage, operation: str) -> None:
    """Both trees, so that nobody is left; they are started again as a supervisor does."""
    for name in ("worker-0", "worker-1"):
        stage.kill(name)


def kill_holder_and_database(stage: Stage, operation: str) -> None:
    kill_holder(stage, operation)
    stage.kill("postgres")


if __name__ == "__main__":
    main()
