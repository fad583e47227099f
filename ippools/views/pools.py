from itertools import groupby
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clusters.models import Cluster
from gateways.models import PrivateCloudGateway
from ippools.actions import InvalidPool, create_pool, delete_pool, edit_pool
from ippools.actions.pools import clusters_using
from ippools.forms import IPPoolForm
from ippools.models import IPPool
from ippools.rows import LISTINGS, AddressPage, address_page
from ippools.usage import Usage, usage_of, with_counts
from ippools.views.loading import crumbs, get_pool_for_change, get_pool_or_404
from palette_portal.http import Conflict
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, can, check, check_somewhere, reason_against
from palette_portal.tenants.requests import signed_in


@require_safe
@login_required
def pool_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    check_somewhere(user, Permission.VIEW_IP_POOLS)
    pools = with_counts(IPPool.objects.visible_to(user)).select_related("gateway")
    rows = [(pool, usage_of(pool)) for pool in pools.order_by("gateway__name", "gateway_id", "name")]
    by_gateway = groupby(rows, key=lambda row: row[0].gateway)
    context = {
        "groups": [(gateway, list(group)) for gateway, group in by_gateway],
        "sees_gateways": can(user, Permission.VIEW_GATEWAYS),
        "change_denied": reason_against(user, Permission.MANAGE_IP_POOLS),
        "crumbs": crumbs(),
    }
    return render(request, "ippools/pool_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def pool_create(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    check(user, Permission.MANAGE_IP_POOLS)
    gateways = PrivateCloudGateway.objects.visible_to(user).present().exclude(name="").order_by("name")
    initial = {"gateway": request.GET.get("gateway", "")}
    form = IPPoolForm(request.POST or None, gateways=gateways, initial=initial)
    if form.is_valid():
        try:
            pool = create_pool(gateway=form.chosen_gateway, values=form.values(), by=user)
        except InvalidPool as error:
            form.add_refusal(error)
        else:
            messages.success(request, f"IP pool {pool.name} was created.")
            return redirect("ippools:detail", pool_id=pool.pk)
    return _form_page(request, form, title="Create IP pool", crumbs=crumbs("Create IP pool"))


@require_safe
@login_required
def pool_detail(request: HttpRequest, pool_id: UUID) -> HttpResponse:
    pool = get_pool_or_404(request, pool_id)
    user = signed_in(request)
    shown = request.GET.get("show", "all")
    page = address_page(pool, shown=shown, number=_number(request.GET.get("page", "")))
    usage = usage_of(pool)
    waiting = list(pool.waiting.in_line(pool))
    users = clusters_using(pool)
    others = [row.cluster_id for row in waiting] + [cluster.pk for cluster in users]
    clusters = _visible_clusters(user, pool, page, others)
    context = {
        "pool": pool,
        "usage": usage,
        "page": page,
        "shown": shown if shown in LISTINGS else "all",
        "tabs": _tabs(usage),
        "rows": [(row, clusters.get(row.claim.cluster_id) if row.claim else None) for row in page.rows],
        "waiting": [(row, clusters.get(row.cluster_id)) for row in waiting],
        "owner": clusters.get(pool.reserved_for) if pool.reserved_for else None,
        "users": users,
        "visible_users": [cluster for cluster in users if cluster.pk in clusters],
        "change_denied": reason_against(user, Permission.MANAGE_IP_POOLS),
        "crumbs": [*crumbs(pool=pool)],
    }
    return render(request, "ippools/pool_detail.html", context)


def _number(text: str) -> int:
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


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def pool_edit(request: HttpRequest, pool_id: UUID) -> HttpResponse:
    pool = get_pool_for_change(request, pool_id)
    form = IPPoolForm(request.POST or None, gateways=(), pool=pool)
    if form.is_valid():
        try:
            edit_pool(pool=pool, values=form.values(), by=signed_in(request))
        except InvalidPool as error:
            form.add_refusal(error)
        else:
            messages.success(request, f"IP pool {form.values().name} was changed.")
            return redirect("ippools:detail", pool_id=pool.pk)
    title = f"Edit {pool.name}"
    return _form_page(
        request, form, title=title, crumbs=crumbs("Edit", pool=pool), pool=pool, usage=usage_of(pool)
    )


def _form_page(request: HttpRequest, form: IPPoolForm, **context: Any) -> HttpResponse:
    status = 422 if form.errors else 200
    return render(request, "ippools/pool_form.html", {"form": form, **context}, status=status)


@require_POST
@login_required
def pool_delete(request: HttpRequest, pool_id: UUID) -> HttpResponse:
    pool = get_pool_for_change(request, pool_id)
    if request.POST.get("confirm", "").strip() != pool.name:
        raise Conflict(f"The IP pool was not deleted: type {pool.name} to confirm.")
    delete_pool(pool=pool, by=signed_in(request))
    messages.success(request, f"IP pool {pool.name} was deleted.")
    return redirect("ippools:list")
