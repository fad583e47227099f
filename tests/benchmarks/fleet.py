"""Clones per second while 50 clusters of 4 machines are provisioned ÷ what the lab's vCenter can do at most.

The lab's vCenter runs 8 clones at once, as a real one does for a host, and queues the others. Bare first:
200 clones asked for at once by a loop that does nothing else. Then, in the same lab, 50 clusters are deployed
at once through two worker processes, from the first Deploy to the end of the last clone. All have to be
Running in the end, each machine exactly once in vCenter and each address held by its owner.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.benchmarks.deploying import Deployer, make_deployer
from tests.benchmarks.provision import stack, steps_left
from tests.benchmarks.report import report
from tests.lab.vcsim import Lab

if TYPE_CHECKING:
    from clusters.models import Cluster

CLUSTERS, MASTERS, WORKERS = 50, 1, 3
MACHINES = CLUSTERS * (MASTERS + WORKERS)
CLONE_SLOTS = 8
TEMPLATE = "r_u-2204-0-k-1312-0"
PATIENCE_SECONDS = 900
NO_LIMIT = {"GATEWAY_CONCURRENT_PROVISIONING_1_NODE": str(CLUSTERS)}


def main() -> None:
    with stack(clone_slots=CLONE_SLOTS, more_environment=NO_LIMIT) as lab:
        bare = bare_throughput(lab)
        deployer = make_deployer(lab)
        begun = time.time()
        clusters = deploy_all(deployer)
        wait_until_running(clusters)
        running = time.time() - begun
        leaks = count_leaks(lab)
        cloned = cloned_after(begun)
    throughput = MACHINES / cloned
    rows = [
        {"what": f"the lab alone, {MACHINES} clones", "seconds": MACHINES / bare, "clones_per_s": bare},
        {"what": "the portal, to the end of the last clone", "seconds": cloned, "clones_per_s": throughput},
        {"what": f"all {CLUSTERS} clusters Running", "seconds": running, "clones_per_s": MACHINES / running},
        {"what": "machines or addresses too many or missing", "seconds": float(leaks), "clones_per_s": 0.0},
    ]
    if leaks:
        raise SystemExit(f"{leaks} machines or addresses leaked or were made twice.")
    report("fleet", throughput / bare, "ratio", rows)


def bare_throughput(lab: Lab) -> float:
    with lab.connect() as vcenter:
        before = set(vcenter.machine_ids())
        begun = time.monotonic()
        for number in range(MACHINES):
            vcenter.clone(TEMPLATE, f"bare-{number}", folder="palette-clusters", pool="workloads")
        lab.wait_for_tasks(PATIENCE_SECONDS)
        seconds = time.monotonic() - begun
        vcenter.remove([moid for moid in vcenter.machine_ids() if moid not in before])
    return MACHINES / seconds


def deploy_all(deployer: Deployer) -> "list[Cluster]":
    return [
        deployer.deploy(f"fleet-{number:02d}", masters=MASTERS, workers=WORKERS)
        for number in range(1, CLUSTERS + 1)
    ]


def wait_until_running(clusters: "Sequence[Cluster]") -> None:
    from palette_portal.orchestration.models import Operation

    deadline = time.monotonic() + PATIENCE_SECONDS
    active = Operation.objects.active()
    while active.exists():
        if time.monotonic() > deadline:
            left = [line for operation in active[:5] for line in steps_left(operation)]
            raise SystemExit(f"{active.count()} clusters are not Running: {left[:20]}")
        time.sleep(0.5)
    states = {type(cluster).objects.get(pk=cluster.pk).state for cluster in clusters}
    if states != {"Running"}:
        raise SystemExit(f"Clusters ended as {states}.")


def cloned_after(begun: float) -> float:
    from django.db.models import Max

    from palette_portal.orchestration.models import Step

    last: Any = Step.objects.filter(key__endswith="/cloned").aggregate(last=Max("finished_at"))["last"]
    return float(last.timestamp() - begun)


def count_leaks(lab: Lab) -> int:
    """Machines of vCenter against those of the portal, and held addresses against their owners."""
    from pyVmomi import vim

    from clusters.models import Machine
    from ippools.models import IPAddressClaim

    with lab.connect() as vcenter:
        found = vcenter.collect(vim.VirtualMachine, "name", "config.instanceUuid").values()
    there = sorted((vm["name"], vm["config.instanceUuid"]) for vm in found if vm["name"].startswith("fleet-"))
    ours = sorted((machine.name, str(machine.pk)) for machine in Machine.objects.all())
    held = IPAddressClaim.objects.held().count()
    return len(set(there) ^ set(ours)) + abs(len(there) - len(ours)) + abs(held - MACHINES - CLUSTERS)


if __name__ == "__main__":
    main()
