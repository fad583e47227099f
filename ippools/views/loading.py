"""Load a pool and check the right to it in one call. Pools are the tenant's: projects only look."""

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from ippools.models import IPPool
from ippools.usage import with_counts
from palette_portal.tenants.permissions import Permission, check, check_somewhere
from palette_portal.tenants.requests import signed_in

Crumbs = list[tuple[str, str]]


def get_pool_or_404(request: HttpRequest, pool_id: UUID) -> IPPool:
    """Raise Denied for people who see no pools, Http404 for another tenant's pool."""
    user = signed_in(request)
    check_somewhere(user, Permission.VIEW_IP_POOLS)
    pools = with_counts(IPPool.objects.visible_to(user)).select_related("gateway", "tenant", "created_by")
    return get_object_or_404(pools, pk=pool_id)


def get_pool_for_change(request: HttpRequest, pool_id: UUID) -> IPPool:
    """As above, and raise Denied for people who may look but not change."""
    pool = get_pool_or_404(request, pool_id)
    check(signed_in(request), Permission.MANAGE_IP_POOLS)
    return pool


def crumbs(*more: str, pool: IPPool | None = None) -> Crumbs:
    trail = [("Tenant Settings", ""), ("IP Pools", reverse("ippools:list"))]
    if pool:
        trail.append((pool.name, reverse("ippools:detail", args=[pool.pk])))
    return [*trail, *((label, "") for label in more)]
