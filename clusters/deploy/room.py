"""Whether IP pools have room for a cluster's node pools together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ippools.actions import PoolUnavailable, check_has_room
from ippools.models import IPPool
from ippools.reservations import Reservation
from ippools.usage import usage_of


@dataclass(frozen=True)
class Demand:
    """What all node pools on one IP pool need; `problem` is empty when it is there."""

    pool: IPPool
    needed: Reservation
    free: int
    problem: str


def demands(pools: Sequence[IPPool], wanted: Iterable[tuple[str, Reservation | None]]) -> list[Demand]:
    sums: dict[str, Reservation] = {}
    for pool_id, reservation in wanted:
        if pool_id and reservation:
            sums[pool_id] = sums.get(pool_id, Reservation()) + reservation
    return [_demand(pool, sums[str(pool.pk)]) for pool in pools if str(pool.pk) in sums]


def _demand(pool: IPPool, needed: Reservation) -> Demand:
    try:
        check_has_room(pool, needed)
        problem = ""
    except PoolUnavailable as unavailable:
        problem = unavailable.reason
    return Demand(pool, needed, usage_of(pool).free, problem)
