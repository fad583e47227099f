"""What clusters may still ask of their pools: their reservation, less the addresses they hold.

A cluster is let in when its pool has room for all that it may ever need. What it has not claimed yet (the
growth of its autoscaler, the extra for a node that joins before another leaves, machines that are not made
yet) is promised to it: nobody else is let in on these addresses, though they are free.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from django.db.models import Count

from clusters.models import MachinePool, PoolRole
from clusters.states import ClusterState
from ippools.models import IPAddressClaim, IPPool
from ippools.reservations import Reservation, node_pool
from ippools.usage import Usage, usage_of

# A cluster that is being deleted asks for no more addresses.
ASKING = (ClusterState.PENDING, ClusterState.PROVISIONING, ClusterState.RUNNING)


@dataclass(frozen=True)
class Promise:
    """Of one pool to one cluster. It may hold more than was reserved: then nothing is left of the promise."""

    cluster_id: UUID
    reservation: Reservation
    held: int

    @property
    def count(self) -> int:
        return max(0, self.reservation.total - self.held)


def promises_on(pools: Iterable[IPPool]) -> dict[UUID, list[Promise]]:
    """By the pools' ids, in two queries however many pools and clusters there are."""
    pool_ids = [pool.pk for pool in pools]
    reserved, held = _reserved(pool_ids), _held(pool_ids)
    found: dict[UUID, list[Promise]] = {pool_id: [] for pool_id in pool_ids}
    for (pool_id, cluster_id), reservation in reserved.items():
        found[pool_id].append(Promise(cluster_id, reservation, held.get((pool_id, cluster_id), 0)))
    return found


def promised(promises: Iterable[Promise], *, besides: UUID | None = None) -> int:
    """To all clusters together, but for one."""
    return sum(promise.count for promise in promises if promise.cluster_id != besides)


def usages_with_promises(pools: Iterable[IPPool]) -> dict[UUID, Usage]:
    """By the pools' ids; pools that were not counted before (`with_counts`) cost a query each."""
    pools = list(pools)
    promises = promises_on(pools)
    return {pool.pk: replace(usage_of(pool), promised=promised(promises[pool.pk])) for pool in pools}


def _reserved(pool_ids: list[UUID]) -> dict[tuple[UUID, UUID], Reservation]:
    rows = MachinePool.objects.filter(ip_pool__in=pool_ids, cluster__state__in=ASKING).order_by()
    sums: dict[tuple[UUID, UUID], Reservation] = defaultdict(Reservation)
    for pool_id, cluster_id, role, size, maximum, surge in rows.values_list(
        "ip_pool_id", "cluster_id", "role", "size", "maximum_size", "surge"
    ):
        is_master = role == PoolRole.CONTROL_PLANE
        sums[pool_id, cluster_id] += node_pool(size, is_master=is_master, maximum=maximum, surge=surge)
    return sums


def _held(pool_ids: list[UUID]) -> dict[tuple[UUID, UUID], int]:
    claims = IPAddressClaim.objects.held().filter(pool__in=pool_ids).order_by()
    rows = claims.values("pool_id", "cluster_id").annotate(count=Count("pk"))
    return {(row["pool_id"], row["cluster_id"]): row["count"] for row in rows}
