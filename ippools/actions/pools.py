"""Making, changing and removing pools."""

import ipaddress
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from clusters.models import Cluster
from gateways.models import PrivateCloudGateway
from ippools.actions.validation import InvalidPool, PoolValues, check_pool
from ippools.models import IPPool, NetworkType
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import announce_subject, ring
from palette_portal.tenants import audit
from palette_portal.tenants.models import User


class PoolInUse(Conflict):
    """Machines have addresses of the pool, or are about to; `users` are the clusters."""

    def __init__(self, pool: IPPool, users: Sequence[Cluster]) -> None:
        self.users = tuple(users)
        names = ", ".join(cluster.name for cluster in users) or "an address that is not released"
        super().__init__(f"The IP pool {pool.name} is in use by {names}.")


@transaction.atomic
def create_pool(*, gateway: PrivateCloudGateway, values: PoolValues, by: User) -> IPPool:
    """Raise InvalidPool."""
    PrivateCloudGateway.objects.select_for_update(no_key=True).get(pk=gateway.pk)
    check_pool(values, gateway=gateway)
    pool = IPPool(tenant_id=gateway.tenant_id, gateway=gateway, created_by=by)
    _put(pool, values)
    pool.save(force_insert=True)
    _audit(pool, "create", by)
    return pool


@transaction.atomic
def edit_pool(*, pool: IPPool, values: PoolValues, by: User) -> IPPool:
    """Raise InvalidPool, also where an address in use would fall out. Clusters that wait are woken.

    What is promised may fall out: nobody has it yet. The pool's usage says then how many are missing.
    """
    gateway = PrivateCloudGateway.objects.select_for_update(no_key=True).get(pk=pool.gateway_id)
    locked = IPPool.objects.select_for_update().get(pk=pool.pk)
    addresses = check_pool(values, gateway=gateway, pool=locked)
    changes = _changes(locked, values)
    _put(locked, values)
    locked.reserved_for = _only_user(locked) if values.restrict_to_single_cluster else None
    locked.edition += 1
    locked.unused_from = None
    locked.save()
    gone = [row.pk for row in locked.returned.all() if row.address not in addresses]
    locked.returned.filter(pk__in=gone).delete()
    ring(locked.wake_reference)
    _audit(locked, "edit", by, **changes)
    return locked


@transaction.atomic
def exclude_addresses(*, pool: IPPool, addresses: Sequence[str], by: User) -> IPPool:
    """Never hand these out: somebody else uses them. Raise InvalidPool where one of ours does."""
    # The gateway's row first, as everybody who locks both.
    PrivateCloudGateway.objects.select_for_update(no_key=True).get(pk=pool.gateway_id)
    locked = IPPool.objects.select_for_update().get(pk=pool.pk)
    # A pool that was made smaller long ago may name some that it does not have any more.
    kept = [one for one in locked.excluded if locked.addresses.covers(ipaddress.ip_address(one))]
    excluded = tuple(dict.fromkeys([*kept, *addresses]))
    return edit_pool(pool=locked, values=values_of(locked, excluded=excluded), by=by)


@transaction.atomic
def delete_pool(*, pool: IPPool, by: User | None) -> None:
    """Raise PoolInUse."""
    rows = IPPool.objects.select_related("gateway", "tenant").select_for_update(of=("self",))
    locked = rows.get(pk=pool.pk)
    users = clusters_using(locked)
    if users or locked.claims.held().exists():
        raise PoolInUse(locked, users)
    locked.machine_pools.update(ip_pool=None)  # only those of deleted clusters are left
    locked.claims.all().delete()
    _audit(locked, "delete", by)
    locked.delete()


def clusters_using(pool: IPPool) -> list[Cluster]:
    """Clusters that hold an address or are planned on the pool."""
    holders = pool.claims.held().values_list("cluster_id", flat=True)
    planned = pool.machine_pools.exclude(cluster__in=Cluster.objects.exclude(deleted_at=None))
    wanted = {*holders, *planned.values_list("cluster_id", flat=True)}
    return list(Cluster.objects.filter(pk__in=wanted).order_by("name"))


def values_of(pool: IPPool, *, excluded: Sequence[str] | None = None) -> PoolValues:
    """A pool as it would be typed."""
    return PoolValues(
        name=pool.name,
        network_type=NetworkType(pool.network_type),
        prefix=pool.prefix,
        gateway_address=pool.gateway_address,
        start=pool.start or "",
        end=pool.end or "",
        subnet=pool.subnet,
        name_servers=tuple(pool.name_servers),
        search_suffixes=tuple(pool.search_suffixes),
        excluded=tuple(pool.excluded if excluded is None else excluded),
        restrict_to_single_cluster=pool.restrict_to_single_cluster,
    )


def _put(pool: IPPool, values: PoolValues) -> None:
    pool.name = values.name.strip()
    pool.network_type = values.network_type
    pool.start = None if values.is_subnet else values.start
    pool.end = None if values.is_subnet else values.end
    pool.subnet = values.subnet if values.is_subnet else ""
    pool.prefix = values.prefix
    pool.gateway_address = values.gateway_address
    pool.name_servers = list(values.name_servers)
    pool.search_suffixes = list(values.search_suffixes)
    pool.excluded = list(values.excluded)
    pool.restrict_to_single_cluster = values.restrict_to_single_cluster


def _only_user(pool: IPPool) -> UUID | None:
    holders = set(pool.claims.held().values_list("cluster_id", flat=True))
    if len(holders) > 1:
        message = f"{len(holders)} clusters use the pool, so it cannot be for a single one."
        raise InvalidPool("restrict_to_single_cluster", message)
    return next(iter(holders), None)


def _changes(pool: IPPool, values: PoolValues) -> dict[str, str]:
    """Old and new of what differs, for the audit log."""
    before, after = vars(values_of(pool)), vars(values)
    return {
        name: f"{_words(before[name])} → {_words(after[name])}"
        for name in before
        if _words(before[name]) != _words(after[name])
    }


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        value = ", ".join(map(str, value))
    return str(value) or "none"


def _audit(pool: IPPool, action: str, by: User | None, **detail: Any) -> None:
    audit.record(
        by=by,
        action=action,
        obj_kind="ip-pool",
        obj_id=pool.pk,
        obj_name=pool.name,
        tenant=pool.tenant,
        gateway=pool.gateway.display_name,
        **detail,
    )
    announce_subject(pool.subject)
