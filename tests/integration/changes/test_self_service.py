"""What the portal does to a cluster by itself: pools scale by what pods ask for, broken workers go."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from django.utils import timezone

from clusters.actions.autoscale import scale_clusters
from clusters.actions.health import judge_clusters
from clusters.actions.repair import repair_clusters, set_repair
from clusters.load import Load, Need, NodeLoad, PodLoad
from clusters.models import Cluster, ClusterLoad, Machine, MachinePool, PoolRole
from clusters.states import ClusterHealth
from palette_portal.orchestration.models import Operation, OperationKind
from tests.factories import bao
from tests.integration.changes.scene import finish, machines_of, names, pool_of, run_cluster
from tests.integration.provisioning.stage import Stage

WORKER = PoolRole.WORKER
ROOM = Need(1900, 3500)
LONG_AGO = timedelta(hours=1)


def scaling(stage: Stage, *, minimum: int = 1, maximum: int = 3) -> None:
    limits = {"autoscales": True, "minimum_size": minimum, "maximum_size": maximum}
    MachinePool.objects.filter(role=WORKER).update(**limits)


def told(stage: Stage, *, used: dict[str, int] | None = None, pending: int = 0, **ago: Any) -> None:
    """CPU used on each node, and pods of one CPU that wait."""
    nodes = tuple(
        NodeLoad(name, ROOM, (PodLoad(f"on-{name}", Need(cpu, 100)),)) for name, cpu in (used or {}).items()
    )
    waiting = tuple(PodLoad(f"default/job-{number}", Need(1000, 500)) for number in range(pending))
    load = Load(nodes, waiting).as_json()
    values = {
        "nodes": load["nodes"],
        "pending": load["pending"],
        "reported_at": timezone.now() - timedelta(**ago),
    }
    ClusterLoad.objects.update_or_create(cluster=stage.cluster, defaults=values)


def go_on(stage: Stage) -> None:
    stage.operation = Operation.objects.of(stage.cluster.subject).active().get()
    finish(stage)


def is_quiet(stage: Stage) -> bool:
    return not Operation.objects.of(stage.cluster.subject).active().exists()


def test_pool_grows_for_pods_and_shrinks_when_idle(stage: Stage) -> None:
    run_cluster(stage, workers=1)
    scaling(stage)
    told(stage, used={"shop-workers-1": 1500}, pending=2)

    scale_clusters()
    go_on(stage)

    assert names(machines_of(stage, WORKER)) == ["shop-workers-1", "shop-workers-2", "shop-workers-3"]
    (event,) = stage.events("Autoscaled")
    assert event.message == (
        "workers goes from 1 to 3 nodes. No node has room for default/job-0, default/job-1."
    )
    MachinePool.objects.update(scaled_at=timezone.now() - LONG_AGO)
    Machine.objects.filter(name="shop-workers-2").update(idle_since=timezone.now() - LONG_AGO)
    told(stage, used={"shop-workers-1": 1500, "shop-workers-2": 100, "shop-workers-3": 1500})

    scale_clusters()
    go_on(stage)

    assert names(machines_of(stage, WORKER)) == ["shop-workers-1", "shop-workers-3"]
    assert pool_of(stage, WORKER).size == 2


def test_old_load_decides_nothing(stage: Stage) -> None:
    run_cluster(stage, workers=1)
    scaling(stage)
    told(stage, pending=2, minutes=3)

    scale_clusters()

    assert is_quiet(stage)


def test_nothing_is_decided_while_a_change_runs(stage: Stage) -> None:
    run_cluster(stage, workers=1)
    scaling(stage)
    told(stage, pending=2)
    scale_clusters()
    MachinePool.objects.update(scaled_at=None)

    scale_clusters()

    assert len(stage.events("Autoscaled")) == 1


def test_pool_without_addresses_says_so_and_pauses(stage: Stage) -> None:
    run_cluster(stage, workers=1)
    scaling(stage, maximum=200)
    told(stage, pending=150)

    scale_clusters()
    scale_clusters()

    (event,) = stage.events("AutoscalerBlocked")
    assert "are needed" in event.message
    assert pool_of(stage, WORKER).size == 1
    assert is_quiet(stage)


def test_pool_of_fixed_size_is_left_alone(stage: Stage) -> None:
    run_cluster(stage, workers=1)
    told(stage, pending=2)

    scale_clusters()

    assert is_quiet(stage)


def broken_worker(stage: Stage, *, since: timedelta = LONG_AGO) -> Machine:
    worker = machines_of(stage, WORKER)[0]
    stage.vcenter.remove([worker.moid])
    Machine.objects.filter(pk=worker.pk).update(missing_since=timezone.now())
    judge_clusters(watching_since=timezone.now())
    Machine.objects.filter(pk=worker.pk, troubled_since__isnull=False).update(
        troubled_since=timezone.now() - since
    )
    return worker


def test_broken_worker_is_replaced_where_that_is_allowed(stage: Stage) -> None:
    run_cluster(stage, workers=2)
    set_repair(cluster=stage.cluster, is_on=True, by=bao())
    broken = broken_worker(stage)

    repair_clusters()
    go_on(stage)

    assert stage.operation.kind == OperationKind.REPLACE
    assert broken.name not in names(machines_of(stage, WORKER))
    assert len(machines_of(stage, WORKER)) == 2
    assert len(stage.events("Repairing")) == 1
    judge_clusters(watching_since=timezone.now())
    assert Cluster.objects.get(pk=stage.cluster.pk).health == ClusterHealth.HEALTHY


def test_broken_worker_stays_where_nobody_allowed_it(stage: Stage) -> None:
    run_cluster(stage, workers=2)
    broken_worker(stage)

    repair_clusters()

    assert is_quiet(stage)


def test_worker_that_has_just_broken_gets_time_to_come_back(stage: Stage) -> None:
    run_cluster(stage, workers=2)
    set_repair(cluster=stage.cluster, is_on=True, by=bao())
    broken_worker(stage, since=timedelta(minutes=9))

    repair_clusters()

    assert is_quiet(stage)


def test_only_one_is_replaced_at_a_time(stage: Stage) -> None:
    run_cluster(stage, workers=2)
    set_repair(cluster=stage.cluster, is_on=True, by=bao())
    broken_worker(stage)
    Machine.objects.filter(pool__role=WORKER).update(
        missing_since=timezone.now(), troubled_since=timezone.now() - LONG_AGO
    )

    repair_clusters()
    repair_clusters()

    assert len(stage.events("Repairing")) == 1


def test_broken_master_is_left_to_people(stage: Stage) -> None:
    run_cluster(stage, masters=3, workers=1)
    set_repair(cluster=stage.cluster, is_on=True, by=bao())
    master = machines_of(stage)[0]
    Machine.objects.filter(pk=master.pk).update(
        missing_since=timezone.now(), troubled_since=timezone.now() - LONG_AGO
    )
    judge_clusters(watching_since=timezone.now())

    repair_clusters()

    assert is_quiet(stage)


@pytest.mark.parametrize(
    "name", ["clusters.actions.repair.repair_clusters", "clusters.actions.autoscale.scale_clusters"]
)
def test_schedules_call_it(name: str) -> None:
    assert name in configured.ORCHESTRATION_SCHEDULES
