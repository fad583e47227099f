"""Wall time of deleting a cluster of 3 masters and 10 workers ÷ the critical path of the lab's delays.

The same stack as `provision`. All machines go side by side: powered off (5 s), then removed (20 s). Between
the two looks that have to agree that a machine is gone the portal waits 3 s, and only then it releases the
address: that pause is in the measured time and not in the critical path. Measured from Confirm to Deleted.
"""

from typing import TYPE_CHECKING

from tests.benchmarks.deploying import make_deployer
from tests.benchmarks.provision import stack, steps_of, wait_until_ended
from tests.benchmarks.report import report
from tests.lab.vcsim import Lab

if TYPE_CHECKING:
    from palette_portal.orchestration.models import Operation

MASTERS, WORKERS = 3, 10
POWER_OFF_SECONDS, DESTROY_SECONDS = 5.0, 20.0
CRITICAL_SECONDS = POWER_OFF_SECONDS + DESTROY_SECONDS


def main() -> None:
    with stack() as lab:
        tell(delete(lab))


def delete(lab: Lab) -> "Operation":
    from clusters.actions.leaving import delete_cluster
    from clusters.models import Cluster
    from palette_portal.orchestration.models import Operation

    lab.set_durations(clone_seconds=0.3, power_on_seconds=0.1)
    deployer = make_deployer(lab)
    cluster = deployer.deploy("measured", masters=MASTERS, workers=WORKERS)
    wait_until_ended(Operation.objects.of(cluster.subject).get())
    lab.set_durations(power_off_seconds=POWER_OFF_SECONDS, destroy_seconds=DESTROY_SECONDS)
    operation = delete_cluster(cluster=Cluster.objects.get(pk=cluster.pk), by=deployer.by)
    wait_until_ended(operation)
    check_nothing_left(lab)
    return operation


def check_nothing_left(lab: Lab) -> None:
    """A quick removal that leaves something behind would be none."""
    from clusters.models import Cluster
    from ippools.models import IPAddressClaim

    with lab.connect() as vcenter:
        left = [name for name in vcenter.machines() if name.startswith("measured")]
    held = IPAddressClaim.objects.held().count()
    state = Cluster.objects.get().state
    if left or held or state != "Deleted":
        raise SystemExit(f"The cluster is {state}; machines left: {left}; addresses held: {held}.")


def tell(operation: "Operation") -> None:
    deleted_at = operation.steps.get(key="cluster-deleted").finished_at
    wall = (deleted_at - operation.created_at).total_seconds()
    summary = {"step": "from Confirm to Deleted", "began_s": 0.0, "took_s": wall}
    path = {"step": "critical path of the delays", "began_s": 0.0, "took_s": CRITICAL_SECONDS}
    report("delete", wall / CRITICAL_SECONDS, "ratio", [*steps_of(operation), summary, path])


if __name__ == "__main__":
    main()
