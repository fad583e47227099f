"""What the pages of IP pools show to a person: rendered by their views first, then by their streams."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any
from uuid import UUID

from clusters.models import Cluster
from ippools.actions.pools import clusters_using
from ippools.models import IPPool
from ippools.promises import Promise, promised, promises_on, usages_with_promises
from ippools.rows import LISTINGS, AddressPage, address_page
from ippools.usage import Usage, usage_of, with_counts
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, can

# The system gateway's are the last, as on the page of gateways.
BY_GATEWAY = ("gateway__is_system", "gateway__name", "gateway_id", "name")


def list_context(user: User) -> dict[str, Any]:
    pools = with_counts(IPPool.objects.visible_to(user)).select_related("gateway")
    ordered = list(pools.order_by(*BY_GATEWAY))
    usages = usages_with_promises(ordered)
    rows = [(pool, usages[pool.pk]) for pool in ordered]
    by_gateway = groupby(rows, key=lambda row: row[0].gateway)
    return {
        "groups": [(gateway, list(group)) for gateway, group in by_gateway],
        "sees_gateways": can(user, Permission.VIEW_GATEWAYS),
    }


def detail_context(user: User, pool: IPPool, *, shown: str, number: int) -> dict[str, Any]:
    """One page of its addresses: all, or those that are used, resting or reserved."""
    page = address_page(pool, shown=shown, number=number)
    promises = [promise for promise in promises_on([pool])[pool.pk] if promise.count]
    usage = replace(usage_of(pool), promised=promised(promises))
    waiting = list(pool.waiting.in_line(pool))
    users = clusters_using(pool)
    others = [row.cluster_id for row in waiting] + [promise.cluster_id for promise in promises]
    others += [cluster.pk for cluster in users]
    clusters = _visible_clusters(user, pool, page, others)
    return {
        "pool": pool,
        "usage": usage,
        "page": page,
        "shown": shown if shown in LISTINGS else "all",
        "tabs": _tabs(usage),
        "rows": [(row, clusters.get(row.claim.cluster_id) if row.claim else None) for row in page.rows],
        "promises": _promises(promises, clusters),
        "waiting": [(row, clusters.get(row.cluster_id)) for row in waiting],
        "owner": clusters.get(pool.reserved_for) if pool.reserved_for else None,
        "users": users,
        "visible_users": [cluster for cluster in users if cluster.pk in clusters],
    }


def _promises(
    promises: list[Promise], clusters: Mapping[UUID, Cluster]
) -> list[tuple[Promise, Cluster | None]]:
    """Those of clusters that the person sees first, by name; the others have none."""
    rows = [(promise, clusters.get(promise.cluster_id)) for promise in promises]
    return sorted(rows, key=lambda row: (row[1] is None, row[1].name if row[1] else ""))


def page_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 1


def _tabs(usage: Usage) -> list[tuple[str, str, int]]:
    return [
        ("all", "All", usage.total),
        ("used", "Used", usage.used),
        ("resting", "Resting", usage.resting),
        ("reserved", "Reserved", usage.reserved),
    ]


def _visible_clusters(user: User, pool: IPPool, page: AddressPage, more: list[UUID]) -> dict[UUID, Cluster]:
    """By id; clusters of projects that the person does not see stay nameless."""
    wanted = {row.claim.cluster_id for row in page.rows if row.claim} | set(more)
    wanted |= {pool.reserved_for} if pool.reserved_for else set()
    return {cluster.pk: cluster for cluster in Cluster.objects.visible_to(user).filter(pk__in=wanted)}
