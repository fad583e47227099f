"""Wall time of provisioning a cluster of 3 masters and 10 workers ÷ the critical path of the lab's delays.

The same stack as `provision`. Clones run side by side (3 s); masters are powered on (1 s) and boot (3 s) one
after the other, and the workers all at once as soon as the first master's API answers, so they add nothing.
Measured from Deploy to Running.
"""

from typing import TYPE_CHECKING

from tests.benchmarks.deploying import make_deployer
from tests.benchmarks.provision import (
    BOOT_SECONDS,
    CLONE_SECONDS,
    POWER_ON_SECONDS,
    stack,
    steps_of,
    wait_until_ended,
)
from tests.benchmarks.report import report
from tests.lab.vcsim import Lab

if TYPE_CHECKING:
    from palette_portal.orchestration.models import Operation

MASTERS, WORKERS = 3, 10
CRITICAL_SECONDS = CLONE_SECONDS + MASTERS * (POWER_ON_SECONDS + BOOT_SECONDS)


def main() -> None:
    with stack() as lab:
        tell(provision(lab))


def provision(lab: Lab) -> "Operation":
    from palette_portal.orchestration.models import Operation

    cluster = make_deployer(lab).deploy("measured", masters=MASTERS, workers=WORKERS)
    operation = Operation.objects.of(cluster.subject).get()
    wait_until_ended(operation)
    return operation


def tell(operation: "Operation") -> None:
    running_at = operation.steps.get(key="cluster-running").finished_at
    wall = (running_at - operation.created_at).total_seconds()
    summary = {"step": "from Deploy to Running", "began_s": 0.0, "took_s": wall}
    path = {"step": "critical path of the delays", "began_s": 0.0, "took_s": CRITICAL_SECONDS}
    report("cluster", wall / CRITICAL_SECONDS, "ratio", [*steps_of(operation), summary, path])


if __name__ == "__main__":
    main()
