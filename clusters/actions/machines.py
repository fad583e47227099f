"""Rows of machines that are to come: names and indexes are never given twice, places are filled evenly."""

from collections import Counter

from django.db import transaction
from django.db.models import Max, Q

from clusters.models import Cluster, Machine, MachinePool, Placement, PoolRole
from clusters.names import machine_name
from clusters.states import MachineState
from palette_portal.orchestration.models import Operation


@transaction.atomic
def add_machine_rows(pool: MachinePool, count: int) -> list[Machine]:
    """Pending machines of the pool's generation, with the cluster's version and image."""
    pool = MachinePool.objects.select_for_update(of=("self",)).select_related("cluster").get(pk=pool.pk)
    cluster, is_master = pool.cluster, pool.role == PoolRole.CONTROL_PLANE
    last = pool.machines.aggregate(last=Max("index"))["last"] or 0
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
        for index, placement in enumerate(_places(pool, count), start=last + 1)
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


def _places(pool: MachinePool, count: int) -> list[Placement]:
    """Each time the place with the fewest machines; of equals the first."""
    placements = list(pool.placements.all())
    present = Counter(Machine.objects.present().filter(pool=pool).values_list("placement_id", flat=True))
    found = []
    for _ in range(count):
        place = min(placements, key=lambda placement: present[placement.pk])
        present[place.pk] += 1
        found.append(place)
    return found
