"""Changes of nodes and node pools that need no more than a dialog."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from clusters.actions.changing import check_can_begin, stop_change
from clusters.actions.pools import check_pool_deletable, delete_pool, resize_pool
from clusters.actions.renewal import check_replaceable, replace_machine
from clusters.actions.repair import set_repair
from clusters.models import MASTER_SIZES, Cluster, Machine, MachinePool
from clusters.states import check_changeable
from clusters.troubles import trouble_of
from clusters.views.dialogs import Dialog, go_to, page_of, show_dialog
from clusters.views.loading import get_cluster_for_change
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import OperationActive
from palette_portal.tenants.models import User
from palette_portal.tenants.requests import signed_in

MOST_NODES = 500


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def pool_resize(request: HttpRequest, cluster_id: UUID, pool_id: UUID) -> HttpResponse:
    cluster = get_cluster_for_change(request, cluster_id)
    pool = get_pool_or_404(cluster, pool_id)
    dialog = Dialog(f"Resize {pool}", "Resize", "clusters/_pool_resize_body.html", tone="primary")
    sizes = [str(size) for size in MASTER_SIZES if size > pool.size]
    typed = request.POST.get("size", str(pool.size) if pool.is_worker else "".join(sizes[:1])).strip()
    asked: dict[str, Any] = {"pool": pool, "sizes": sizes, "typed": typed}
    try:
        check_can_begin(cluster)
        _check_resizable(pool)
        if request.method != "POST":
            return show_dialog(request, cluster, dialog, **asked)
        if error := _size_error(typed) or _resize(pool, int(typed), by=signed_in(request)):
            return show_dialog(request, cluster, dialog, status=422, size_error=error, **asked)
    except Conflict as conflict:
        return show_dialog(request, cluster, dialog, status=409, refused=conflict.reason)
    messages.info(request, f"{pool} is going from {pool.size} to {typed} nodes.")
    return go_to(request, page_of(cluster))


def _resize(pool: MachinePool, size: int, *, by: User) -> str:
    """What is wrong with the size, empty when it is being done. Raise OperationActive."""
    try:
        resize_pool(pool=pool, size=size, by=by)
    except OperationActive:
        raise
    except Conflict as conflict:
        return conflict.reason
    return ""


def _check_resizable(pool: MachinePool) -> None:
    if pool.fixed_because:
        raise Conflict(pool.fixed_because)


def _size_error(typed: str) -> str:
    is_size = typed.isascii() and typed.isdecimal() and 1 <= int(typed) <= MOST_NODES
    return "" if is_size else f"Give a number from 1 to {MOST_NODES}."


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def pool_delete(request: HttpRequest, cluster_id: UUID, pool_id: UUID) -> HttpResponse:
    cluster = get_cluster_for_change(request, cluster_id)
    pool = get_pool_or_404(cluster, pool_id)
    dialog = Dialog(f"Delete the node pool {pool}?", "Delete node pool", "clusters/_pool_delete_body.html")
    asked: dict[str, Any] = {
        "machines": list(pool.machines.filter(pk__in=Machine.objects.present()).order_by("index")),
        "must_equal": pool.name,
        "typed_wrong": False,
    }
    try:
        check_can_begin(cluster)
        check_pool_deletable(pool)
        if request.method != "POST":
            return show_dialog(request, cluster, dialog, **asked)
        if request.POST.get("name", "").strip() != pool.name:
            return show_dialog(request, cluster, dialog, status=422, **{**asked, "typed_wrong": True})
        delete_pool(pool=pool, by=signed_in(request))
    except Conflict as conflict:
        return show_dialog(request, cluster, dialog, status=409, refused=conflict.reason)
    messages.info(request, f"The node pool {pool} is being deleted.")
    return go_to(request, page_of(cluster))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def node_replace(request: HttpRequest, cluster_id: UUID, machine_id: UUID) -> HttpResponse:
    cluster = get_cluster_for_change(request, cluster_id)
    present = Machine.objects.present().filter(cluster=cluster).select_related("pool", "cluster")
    machine = get_object_or_404(present, pk=machine_id)
    dialog = Dialog(f"Replace {machine}?", "Replace node", "clusters/_node_replace_body.html", tone="primary")
    try:
        check_can_begin(cluster)
        check_replaceable(machine)
        if request.method != "POST":
            trouble = trouble_of(machine, watching_since=machine.created_at)
            return show_dialog(request, cluster, dialog, machine=machine, trouble=trouble)
        replace_machine(machine=machine, by=signed_in(request))
    except Conflict as conflict:
        return show_dialog(request, cluster, dialog, status=409, refused=conflict.reason)
    messages.info(request, f"{machine} is being replaced.")
    return go_to(request, page_of(cluster))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def change_stop(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    cluster = get_cluster_for_change(request, cluster_id)
    dialog = Dialog(f"Stop changing {cluster}?", "Stop the change", "clusters/_change_stop_body.html")
    try:
        check_changeable(cluster)
        if request.method != "POST":
            return show_dialog(request, cluster, dialog)
        stop_change(cluster=cluster, by=signed_in(request))
    except Conflict as conflict:
        return show_dialog(request, cluster, dialog, status=409, refused=conflict.reason)
    messages.info(request, "The change is stopped. What it had begun to make is being removed.")
    return go_to(request, page_of(cluster))


@require_POST
@login_required
def repair_set(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    cluster = get_cluster_for_change(request, cluster_id)
    is_on = request.POST.get("repair") == "on"
    set_repair(cluster=cluster, is_on=is_on, by=signed_in(request))
    replaced = "are replaced by themselves" if is_on else "stay until somebody replaces them"
    messages.success(request, f"Broken workers of {cluster} {replaced}.")
    return redirect(page_of(cluster, "settings"))


def get_pool_or_404(cluster: Cluster, pool_id: UUID) -> MachinePool:
    pools = cluster.machine_pools.select_related("cluster__gateway", "cluster__cloud_account", "ip_pool")
    return get_object_or_404(pools.prefetch_related("placements"), pk=pool_id)
