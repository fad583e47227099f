"""Rows of pools and machines to come: names and indexes are never given twice, places are filled evenly."""

from collections import Counter
from collections.abc import Collection

from django.db import transaction
from django.db.models import Max, Q

from clusters.actions.requests import PoolRequest
from clusters.models import Cluster, Machine, MachinePool, Placement, PoolRole
from clusters.names import machine_name
from clusters.states import MachineState
from palette_portal.orchestration.models import Operation


def create_pool(cluster: Cluster, request: PoolRequest) -> MachinePool:
    """With its places; its machines come apart."""
    surge, unavailable = request.moves
    autoscaling = request.autoscaling
    pool = MachinePool.objects.create(
        cluster=cluster,
        name=request.name,
        role=request.role,
        size=request.size,
        num_cpus=request.num_cpus,
        memory_mib=request.memory_mib,
        disk_gib=request.disk_gib,
        instance_type=request.instance_type,
        labels=dict(request.labels),
        taints=[taint.as_json() for taint in request.taints],
        takes_workloads=request.takes_workloads,
        autoscales=autoscaling is not None,
        minimum_size=autoscaling.minimum if autoscaling else None,
        maximum_size=autoscaling.maximum if autoscaling else None,
        rolling_update=request.rolling_update,
        surge=surge,
        unavailable=unavailable,
        ip_pool=request.ip_pool,
    )
    Placement.objects.bulk_create(Placement(pool=pool, **vars(wanted)) for wanted in request.placements)
    return pool


@transaction.atomic
def add_machine_rows(pool: MachinePool, count: int, *, instead_of: Collection[Machine] = ()) -> list[Machine]:
    """Pending machines of the pool's generation, with the cluster's version and image.

    Those they come `instead_of` do not count for where they go, so that zones stay even.
    """
    pool = MachinePool.objects.select_for_update(of=("self",)).select_related("cluster").get(pk=pool.pk)
    cluster, is_master = pool.cluster, pool.role == PoolRole.CONTROL_PLANE
    last = pool.machines.aggregate(last=Max("index"))["last"] or 0
    places = places_for(pool, count, instead_of=instead_of)
    return [
        Machine.objects.create(
            cluster=cluster,
            pool=pool,
            placement=placement,
            index=index,
            name=machine_name(cluster.name, pool="cp" if is_master else pool.name, index=index),
            is_first=is_master and index == 1,
            generation=pool.generation,
            kubernetes_version=cluster.kubernetes_version,
            image_template=cluster.image_template,
        )
        for index, placement in enumerate(places, start=last + 1)
    ]


def unfinished_machines(cluster: Cluster) -> list[Machine]:
    """What an operation that was cancelled left: machines that never ran, or were on their way out.

    Remove them with the next operation. None while an operation is active: they are its machines.
    """
    if Operation.objects.of(cluster.subject).active().exists():
        return []
    left = Q(running_at=None) | Q(state=MachineState.DELETING)
    rows = Machine.objects.present().filter(left, cluster=cluster)
    return list(rows.select_related("pool", "cluster").order_by("pool__role", "index"))


def places_for(pool: MachinePool, count: int, *, instead_of: Collection[Machine] = ()) -> list[Placement]:
    """Where so many more machines go: each time the place with the fewest; of equals the first."""
    placements = list(pool.placements.filter(is_given_up=False))
    staying = Machine.objects.present().filter(pool=pool).exclude(pk__in=[one.pk for one in instead_of])
    present = Counter(staying.values_list("placement_id", flat=True))
    found = []
    for _ in range(count):
        place = min(placements, key=lambda placement: present[placement.pk])
        present[place.pk] += 1
        found.append(place)
    return found
