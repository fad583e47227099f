"""Whether a pool has room for a cluster before anything is made."""

from uuid import UUID

from ippools.actions.claims import PoolExhausted, reserved_for_another
from ippools.models import IPPool
from ippools.reservations import Reservation, control_plane
from ippools.usage import usage_of


def needed_addresses(nodes: int) -> int:
    return control_plane(nodes).total


def free_count(pool: IPPool) -> int:
    return usage_of(pool).free


def check_can_serve(pool: IPPool, *, nodes: int, cluster_id: UUID | None = None) -> None:
    """Raise PoolReserved or PoolExhausted unless the pool has room for a master pool of so many nodes."""
    check_has_room(pool, control_plane(nodes), cluster_id=cluster_id)


def check_has_room(pool: IPPool, needed: Reservation, *, cluster_id: UUID | None = None) -> None:
    """The same for any need. Resting addresses count as free: they will be, and the claim waits for them."""
    if pool.reserved_for not in (None, cluster_id):
        raise reserved_for_another(pool)
    usage = usage_of(pool)
    if usage.free + usage.resting < needed.total:
        resting = f" and {usage.resting} resting" if usage.resting else ""
        raise PoolExhausted(
            pool,
            f"The IP pool {pool.name} has {addresses_in_words(usage.free)} free{resting}, "
            f"and {needed.total} are needed: {needed}.",
        )


def addresses_in_words(count: int) -> str:
    return "1 address" if count == 1 else f"{count} addresses"
