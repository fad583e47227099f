"""A cluster that runs, for changing its machines."""

from collections.abc import Sequence

from django.db import transaction

from clusters.actions.machines import add_machine_rows
from clusters.actions.provision import PoolRequest
from clusters.changes import add_machines_plan, remove_machines_plan, replace_machines_plan
from clusters.models import ClusterPurpose, Machine, MachinePool, PoolRole
from palette_portal.orchestration.actions import start_operation
from palette_portal.orchestration.models import Operation, OperationKind, OperationState
from palette_portal.orchestration.steps import StepSpec
from tests.factories import make_project
from tests.integration.provisioning.stage import Stage


def run_cluster(stage: Stage, *, masters: int = 1, workers: int = 0) -> None:
    """Provisioned to the end; with workers it is a tenant's cluster."""
    changes = {}
    if workers:
        pools = (*stage.request(masters).pools, worker_pool(stage, workers))
        project = make_project(stage.gateway.tenant)
        changes = {"purpose": ClusterPurpose.TENANT, "project": project, "name": "shop", "pools": pools}
    stage.start(nodes=masters, **changes)
    finish(stage)
    stage.guests.log.clear()
    stage.lab.forget_calls()


def worker_pool(stage: Stage, size: int) -> PoolRequest:
    return PoolRequest(
        name="workers",
        role=PoolRole.WORKER,
        size=size,
        num_cpus=2,
        memory_mib=4096,
        disk_gib=60,
        placements=(stage.placement,),
        ip_pool=stage.pool,
    )


def finish(stage: Stage) -> None:
    stage.finish()
    assert stage.operation.state == OperationState.SUCCEEDED, stage.describe()
    stage.assert_nothing_doubled_or_leaked()


def pool_of(stage: Stage, role: PoolRole = PoolRole.CONTROL_PLANE) -> MachinePool:
    return stage.cluster.machine_pools.select_related("cluster").get(role=role)


def machines_of(stage: Stage, role: PoolRole = PoolRole.CONTROL_PLANE) -> list[Machine]:
    rows = Machine.objects.present().filter(cluster=stage.cluster, pool__role=role)
    return list(rows.select_related("pool", "cluster").order_by("index"))


@transaction.atomic
def change(stage: Stage, steps: Sequence[StepSpec]) -> Operation:
    subject = stage.cluster.subject
    stage.operation = start_operation(kind=OperationKind.SCALE, subject=subject, steps=steps, by=None)
    return stage.operation


def add(stage: Stage, count: int, role: PoolRole = PoolRole.CONTROL_PLANE) -> list[Machine]:
    new = add_machine_rows(pool_of(stage, role), count)
    change(stage, add_machines_plan(stage.cluster, new))
    return new


def remove(stage: Stage, machines: Sequence[Machine]) -> None:
    change(stage, remove_machines_plan(stage.cluster, machines))


def replace_all(stage: Stage, role: PoolRole = PoolRole.CONTROL_PLANE, **fields: str) -> list[Machine]:
    pool, old = pool_of(stage, role), machines_of(stage, role)
    for name, value in fields.items():
        setattr(pool.cluster, name, value)
    pool.cluster.save()
    new = add_machine_rows(pool, len(old))
    change(stage, replace_machines_plan(pool, old, new))
    return new


def names(machines: Sequence[Machine]) -> list[str]:
    return [machine.name for machine in machines]
