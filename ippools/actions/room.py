"""Whether a pool has room for what a cluster may ever need, before anything is made.

Room is what is free, or will be after its rest, and was not promised to another cluster.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from ippools.actions.claims import PoolExhausted, PoolUnavailable, lock_pools, reserved_for_another
from ippools.models import IPPool
from ippools.promises import Promise, promised, promises_on
from ippools.reservations import Reservation, control_plane
from ippools.usage import usage_of


def needed_addresses(nodes: int) -> int:
    return control_plane(nodes).total


def free_count(pool: IPPool) -> int:
    return usage_of(pool).free


def check_can_serve(pool: IPPool, *, nodes: int, cluster_id: UUID | None = None) -> None:
    """Raise PoolReserved or PoolExhausted unless the pool has room for a master pool of so many nodes."""
    check_has_room(pool, control_plane(nodes), cluster_id=cluster_id)


def check_has_room(
    pool: IPPool,
    needed: Reservation,
    *,
    cluster_id: UUID | None = None,
    promises: Sequence[Promise] | None = None,
) -> None:
    """The same for any need beyond what the cluster was promised. Nothing is kept free by it: see `reserve`.

    `promises` are the pool's, where they are known already.
    """
    promises = promises_on([pool])[pool.pk] if promises is None else promises
    if _is_for_another(pool, {promise.cluster_id for promise in promises}, cluster_id):
        raise reserved_for_another(pool)
    _check(pool, needed, taken=promised(promises, besides=cluster_id))


def check_promise(pool: IPPool, needed: Reservation) -> None:
    """Raise PoolExhausted unless the pool has at all what was promised to the cluster that asks now.

    It was counted when the cluster was let in, so the others' promises are none of its concern.
    """
    _check(pool, needed, taken=0)


def reserve(needs: Mapping[IPPool, Reservation], *, cluster_id: UUID | None = None) -> None:
    """As `check_has_room`, and nobody else is let in until the transaction ends.

    What its rows say then (node pools and their sizes) is promised to the cluster from there on.
    """
    locked = lock_pools({pool.pk for pool in needs})
    gone = next((pool for pool in needs if pool not in locked), None)
    if gone:
        raise PoolUnavailable(f"The IP pool {gone.name} was deleted meanwhile.")
    for pool in locked:
        check_has_room(pool, needs[pool], cluster_id=cluster_id)


def _is_for_another(pool: IPPool, users: set[UUID], cluster_id: UUID | None) -> bool:
    """Of a restricted pool: the first that claims has it, and before that the first that is planned on it."""
    if pool.reserved_for is not None:
        return pool.reserved_for != cluster_id
    return pool.restrict_to_single_cluster and bool(users - {cluster_id})


def _check(pool: IPPool, needed: Reservation, *, taken: int) -> None:
    usage = usage_of(pool)
    there = usage.free + usage.resting
    if there - taken < needed.total:
        resting = f" and {usage.resting} resting" if usage.resting else ""
        others = f" ({_part(taken, there)} promised to other clusters)" if taken and there else ""
        raise PoolExhausted(
            pool,
            f"The IP pool {pool.name} has {addresses_in_words(usage.free)} free{resting}{others}, "
            f"and {needed.total} are needed: {needed}.",
        )


def _part(taken: int, there: int) -> str:
    return "all" if taken >= there else f"{taken} of them"


def addresses_in_words(count: int) -> str:
    return "1 address" if count == 1 else f"{count} addresses"
