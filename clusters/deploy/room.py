"""Whether IP pools have room for a cluster's node pools together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ippools.actions import PoolUnavailable, check_has_room
from ippools.models import IPPool
from ippools.promises import Promise, promised, promises_on
from ippools.reservations import Reservation
from ippools.usage import Usage, usage_of


@dataclass(frozen=True)
class Demand:
    """What all node pools on one IP pool need; `problem` is empty when it is there."""

    pool: IPPool
    needed: Reservation
    usage: Usage
    problem: str


def demands(pools: Sequence[IPPool], wanted: Iterable[tuple[str, Reservation | None]]) -> list[Demand]:
    sums: dict[str, Reservation] = {}
    for pool_id, reservation in wanted:
        if pool_id and reservation:
            sums[pool_id] = sums.get(pool_id, Reservation()) + reservation
    wanted_pools = [pool for pool in pools if str(pool.pk) in sums]
    promises = promises_on(wanted_pools)
    return [_demand(pool, sums[str(pool.pk)], promises[pool.pk]) for pool in wanted_pools]


def _demand(pool: IPPool, needed: Reservation, promises: Sequence[Promise]) -> Demand:
    try:
        check_has_room(pool, needed, promises=promises)
        problem = ""
    except PoolUnavailable as unavailable:
        problem = unavailable.reason
    usage = replace(usage_of(pool), promised=promised(promises))
    return Demand(pool, needed, usage, problem)
