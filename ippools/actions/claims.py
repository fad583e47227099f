"""Claiming and releasing. The lowest free address first; who finds the pool empty waits in line.

A freed address rests before anybody gets it again, because neighbours and switches remember for a while
whose it was. Clusters stand in a pool's line: nobody who comes later gets what those before need. Steps wait
for the pool's `wake_reference`, which is rung when addresses come back or the pool grows.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from ippools.models import (
    IPAddressClaim,
    IPAddressClaimQuerySet,
    IPPool,
    ReturnedAddress,
    WaitingCluster,
)
from ippools.usage import usage_of
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import ring

LOOK_AGAIN_SECONDS = 60.0

_ATTRIBUTES = [field.attname for field in IPAddressClaim._meta.concrete_fields]
_COLUMNS = [field.column for field in IPAddressClaim._meta.concrete_fields]
_CLAIM = (
    "SELECT outcome, "
    + ", ".join(f"host((held).{name})" if name == "address" else f"(held).{name}" for name in _COLUMNS)
    + " FROM set_config('synchronous_commit', coalesce(%s, current_setting('synchronous_commit')), true),"
    + " ippools_claim_address(%s, %s, %s, %s, %s::inet[], %s, %s, %s, %s, %s, %s)"
)


class PoolUnavailable(Conflict):
    """The pool cannot give what is asked for."""


class PoolReserved(PoolUnavailable):
    pass


class PoolExhausted(PoolUnavailable):
    """Nothing is free now. `look_again_seconds` is when that may have changed without anybody ringing."""

    def __init__(self, pool: IPPool, reason: str, look_again_seconds: float = LOOK_AGAIN_SECONDS) -> None:
        super().__init__(reason)
        self.pool = pool
        self.look_again_seconds = look_again_seconds


class _NothingFree(Exception):
    def __init__(self, pool: IPPool, *, ahead: int = 0) -> None:
        super().__init__(pool.name)
        self.pool = pool
        self.ahead = ahead


@dataclass(frozen=True)
class WantedAddress:
    pool: IPPool
    owner_kind: str
    owner_id: UUID
    owner_name: str
    purpose: str


def claim_address(
    pool: IPPool, *, cluster_id: UUID, owner_kind: str, owner_id: UUID, owner_name: str, purpose: str
) -> IPAddressClaim:
    """Return the owner's claim for the purpose, made now if there is none: the lowest free address.

    Raise PoolReserved, or PoolExhausted with a place in the pool's line.
    """
    wanted = WantedAddress(pool, owner_kind, owner_id, owner_name, purpose)
    return claim_addresses([wanted], cluster_id=cluster_id)[0]


def claim_addresses(wanted: Sequence[WantedAddress], *, cluster_id: UUID) -> list[IPAddressClaim]:
    """All of them or none, so that two clusters never wait for each other with half of theirs."""
    try:
        if len(wanted) == 1:
            return [_claim(wanted[0], cluster_id)]
        with transaction.atomic():
            lock_pools({want.pool.pk for want in wanted})
            return [_claim(want, cluster_id) for want in wanted]
    except _NothingFree as nothing:
        missing = _missing(nothing.pool, wanted)
        WaitingCluster.objects.update_or_create(
            pool=nothing.pool,
            cluster_id=cluster_id,
            defaults={"count": missing, "asked_at": timezone.now()},
        )
        raise _exhausted(nothing, missing) from None


def release_address(*, owner_id: UUID, purpose: str) -> int:
    return release(IPAddressClaim.objects.held().filter(owner_id=owner_id, purpose=purpose))


@transaction.atomic
def release_addresses(*, cluster_id: UUID, keep: Collection[UUID] = ()) -> int:
    """Release all that a cluster still holds and its places in line; return how many addresses these were.

    `keep` are owners whose addresses may be in use.
    """
    left = WaitingCluster.objects.filter(cluster_id=cluster_id)
    pool_ids = set(left.values_list("pool_id", flat=True))
    left.delete()
    released = release(IPAddressClaim.objects.held().filter(cluster_id=cluster_id).exclude(owner_id__in=keep))
    for pool in IPPool.objects.filter(pk__in=pool_ids):
        ring(pool.wake_reference)
    return released


@transaction.atomic
def release(claims: IPAddressClaimQuerySet) -> int:
    pools = lock_pools(set(claims.values_list("pool_id", flat=True)))
    held = list(claims.filter(pool__in=pools))
    now = timezone.now()
    released = claims.filter(pk__in=[claim.pk for claim in held]).update(released_at=now)
    for pool in pools:
        _take_back(pool, [claim.address for claim in held if claim.pool_id == pool.pk], now)
    return released


def _take_back(pool: IPPool, addresses: Sequence[str], now: datetime) -> None:
    free_at = now + timedelta(seconds=settings.IPPOOLS_REST_SECONDS)
    ReturnedAddress.objects.bulk_create(
        [ReturnedAddress(pool=pool, address=address, free_at=free_at) for address in addresses],
        update_conflicts=True,
        unique_fields=["pool", "address"],
        update_fields=["free_at"],
    )
    if pool.reserved_for and not pool.claims.held().exists():
        IPPool.objects.filter(pk=pool.pk).update(reserved_for=None)
    ring(pool.wake_reference)


def lock_pools(pool_ids: set[UUID]) -> list[IPPool]:
    """In one order, so that two who need several never wait for each other."""
    return list(IPPool.objects.filter(pk__in=pool_ids).order_by("pk").select_for_update(no_key=True))


def _claim(want: WantedAddress, cluster_id: UUID) -> IPAddressClaim:
    pool = want.pool
    outcome, claim = _ask(pool, want, cluster_id)
    if outcome == "changed":
        pool = IPPool.objects.get(pk=pool.pk)
        outcome, claim = _ask(pool, want, cluster_id)
    if outcome == "line":
        outcome, claim = _ask_in_turn(pool, want, cluster_id)
    if claim is not None:
        return claim
    if outcome == "reserved":
        raise reserved_for_another(pool)
    raise _NothingFree(pool)


def _ask(
    pool: IPPool, want: WantedAddress, cluster_id: UUID, *, is_my_turn: bool = False
) -> tuple[str, IPAddressClaim | None]:
    addresses = pool.addresses
    blocked = [str(address) for address in addresses.reserved_inside]
    values = (pool.pk, pool.edition, str(addresses.first), str(addresses.last), blocked, cluster_id)
    owner = (want.owner_kind, want.owner_id, want.owner_name, want.purpose)
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [_durability(), *values, *owner, is_my_turn])
        outcome, *columns = cursor.fetchone()
    claim = IPAddressClaim.from_db(connection.alias, _ATTRIBUTES, columns) if columns[0] else None
    return outcome, claim


def _durability() -> str | None:
    """A claim of its own need not be on disk before the pool's lock is let go.

    Nobody acts on an address before another transaction has recorded it, and that one puts both on disk.
    """
    return None if connection.in_atomic_block else "off"


@transaction.atomic
def _ask_in_turn(pool: IPPool, want: WantedAddress, cluster_id: UUID) -> tuple[str, IPAddressClaim | None]:
    """Some stand in line: go ahead only if enough is left for those before us."""
    (locked,) = lock_pools({pool.pk})
    line = WaitingCluster.objects.in_line(locked)
    mine = line.filter(cluster_id=cluster_id).first()
    before = [other for other in line.exclude(cluster_id=cluster_id) if mine is None or other.pk < mine.pk]
    promised = sum(other.count for other in before)
    if usage_of(locked).free - promised < (mine.count if mine else 1):
        raise _NothingFree(locked, ahead=len(before))
    outcome, claim = _ask(locked, want, cluster_id, is_my_turn=True)
    if mine and outcome == "claimed":
        _step_forward(mine)
    return outcome, claim


def _step_forward(mine: WaitingCluster) -> None:
    if mine.count > 1:
        WaitingCluster.objects.filter(pk=mine.pk).update(count=mine.count - 1)
    else:
        mine.delete()


def _missing(pool: IPPool, wanted: Sequence[WantedAddress]) -> int:
    wanted_here = {(want.owner_id, want.purpose) for want in wanted if want.pool.pk == pool.pk}
    held = pool.claims.held().filter(owner_id__in=[owner for owner, _ in wanted_here])
    return max(1, len(wanted_here - set(held.values_list("owner_id", "purpose"))))


def _exhausted(nothing: _NothingFree, missing: int) -> PoolExhausted:
    pool, usage = nothing.pool, usage_of(nothing.pool)
    sentence = f"The IP pool {pool.name} has no free address left."
    if usage.free:
        sentence = f"The IP pool {pool.name} has {_counted(usage.free, 'free address', 'free addresses')}."
    sentence += f" {missing} {'is' if missing == 1 else 'are'} needed."
    if nothing.ahead:
        sentence += f" {_counted(nothing.ahead, 'cluster waits', 'clusters wait')} before this one."
    next_one = pool.returned.resting().order_by("free_at").first()
    if next_one is None:
        return PoolExhausted(pool, sentence)
    sentence += f" {_counted(usage.resting, 'address rests', 'addresses rest')} before reuse."
    seconds = (next_one.free_at - timezone.now()).total_seconds()
    return PoolExhausted(pool, sentence, min(LOOK_AGAIN_SECONDS, max(0.1, seconds)))


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def reserved_for_another(pool: IPPool) -> PoolReserved:
    return PoolReserved(f"The IP pool {pool.name} is restricted to one cluster, and another cluster uses it.")
