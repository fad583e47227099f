"""Delete, Abort and Force Delete of a cluster: a dialog in the page, a page of its own without JavaScript."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clusters.actions.leaving import (
    LoginDoesNotWork,
    abort_cluster,
    check_force_deletable,
    delete_cluster,
    force_delete_cluster,
)
from clusters.actions.leftovers import check_leftovers
from clusters.details import progress_of_cluster
from clusters.leaving import leftovers_context
from clusters.menus import actions_context
from clusters.models import Cluster, ClusterPurpose
from clusters.states import check_abortable, check_cluster_deletable
from clusters.views.dialogs import Dialog, go_to, page_of, show_dialog
from clusters.views.loading import get_cluster_or_404, rights_of
from ippools.models import IPAddressClaim
from palette_portal.http import Conflict, is_partial
from palette_portal.tenants.permissions import Permission, check
from palette_portal.tenants.requests import signed_in
from palette_portal.vsphere.errors import VSphereError

GATEWAY = "This cluster is the body of a gateway: delete or reset the gateway."


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def cluster_delete(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    cluster = _get(request, cluster_id, Permission.DELETE_CLUSTERS)
    busy = "Testing the login of the cloud account…"
    dialog = Dialog(f"Delete {cluster}?", "Confirm", "clusters/_delete_body.html", busy=busy)
    try:
        check_cluster_deletable(cluster)
        if request.method != "POST":
            return show_dialog(request, cluster, dialog, **_asked(cluster))
        if not _is_name_typed(request, cluster):
            return show_dialog(request, cluster, dialog, status=422, **_asked(cluster, typed_wrong=True))
        delete_cluster(cluster=cluster, by=signed_in(request))
    except LoginDoesNotWork as refused:
        return show_dialog(
            request, cluster, dialog, status=409, refused=refused.reason, account=refused.account
        )
    except Conflict as conflict:
        return show_dialog(request, cluster, dialog, status=409, refused=conflict.reason)
    messages.info(request, f"{cluster} is being deleted.")
    return go_to(request, page_of(cluster))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def cluster_abort(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    cluster = _get(request, cluster_id, Permission.DELETE_CLUSTERS)
    dialog = Dialog(f"Abort {cluster}?", "Abort provisioning", "clusters/_abort_body.html")
    try:
        check_abortable(cluster)
        if request.method != "POST":
            return show_dialog(request, cluster, dialog, **_removed(cluster))
        abort_cluster(cluster=cluster, by=signed_in(request))
    except Conflict as conflict:
        return show_dialog(request, cluster, dialog, status=409, refused=conflict.reason)
    messages.info(request, f"The provisioning of {cluster} is being taken back.")
    return go_to(request, page_of(cluster))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def cluster_force_delete(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    cluster = _get(request, cluster_id, Permission.FORCE_DELETE_CLUSTERS)
    dialog = Dialog(f"Force the deletion of {cluster}?", "Confirm", "clusters/_force_delete_body.html")
    try:
        check_force_deletable(cluster)
        if request.method != "POST":
            return show_dialog(request, cluster, dialog, **_asked(cluster))
        if not _is_name_typed(request, cluster):
            return show_dialog(request, cluster, dialog, status=422, **_asked(cluster, typed_wrong=True))
        force_delete_cluster(cluster=cluster, by=signed_in(request))
    except Conflict as conflict:
        return show_dialog(request, cluster, dialog, status=409, refused=conflict.reason)
    messages.warning(request, f"{cluster} is tried once more, then the portal gives up what is left.")
    return go_to(request, page_of(cluster))


@never_cache
@require_safe
@login_required
def cluster_actions(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    """The head's buttons and menu, asked for when the time to force has come; an open menu stays open."""
    cluster = get_cluster_or_404(request, cluster_id)
    progress = progress_of_cluster(cluster)
    context = actions_context(cluster, progress, rights_of(signed_in(request), cluster))
    return render(request, "clusters/_cluster_actions.html", {**context, "oob": True})


@require_POST
@login_required
def leftovers_check(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    """Asks vCenter now. What it says, or why it says nothing, stands in the list."""
    cluster = get_cluster_or_404(request, cluster_id)
    problem = ""
    try:
        check_leftovers(cluster=cluster, by=signed_in(request))
    except VSphereError as error:
        problem = f"{error.sentence} {error.hint}".strip()
    if not is_partial(request):
        if problem:
            raise Conflict(problem)
        return redirect("clusters:detail", cluster_id=cluster.pk)
    context = leftovers_context(cluster, rights_of(signed_in(request), cluster))
    return render(request, "clusters/_leftovers.html", {**context, "problem": problem})


def _get(request: HttpRequest, cluster_id: UUID, permission: Permission) -> Cluster:
    """Raise Denied for people who may look but not do this, Conflict for a gateway's body."""
    cluster = get_cluster_or_404(request, cluster_id)
    if cluster.purpose == ClusterPurpose.GATEWAY:
        check(signed_in(request), Permission.MANAGE_GATEWAYS)
        raise Conflict(GATEWAY)
    check(signed_in(request), permission, project=cluster.project)
    return cluster


def _asked(cluster: Cluster, *, typed_wrong: bool = False) -> dict[str, Any]:
    return {**_removed(cluster), "must_equal": cluster.name, "typed_wrong": typed_wrong}


def _removed(cluster: Cluster) -> dict[str, Any]:
    """What the dialog lists."""
    held = IPAddressClaim.objects.held().filter(cluster_id=cluster.pk)
    return {
        "machines": list(cluster.machines.present().order_by("name")),
        "addresses": list(held.order_by("address").values_list("address", flat=True)),
    }


def _is_name_typed(request: HttpRequest, cluster: Cluster) -> bool:
    return request.POST.get("name", "").strip() == cluster.name
