"""Add and edit a node pool of a running cluster: the wizard's form, then what will happen, then Confirm."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clusters.actions.changing import check_can_begin
from clusters.actions.pools import PoolNameTaken, add_pool
from clusters.actions.renewal import Renewal, edit_pool, plan_renewal
from clusters.day_two.pool_forms import (
    edit_pool_form,
    new_pool_form,
    redrawn_new_form,
    redrawn_pool_form,
)
from clusters.day_two.request import edit_request_from, request_from
from clusters.deploy.forms.pool_fields import NodePoolForm
from clusters.deploy.offers import Offer, cached_offer, get_offer
from clusters.models import Cluster, MachinePool
from clusters.views.dialogs import go_to, page_of
from clusters.views.loading import get_cluster_for_change
from clusters.views.nodes import get_pool_or_404
from ippools.actions import PoolUnavailable
from palette_portal.http import Conflict, is_partial
from palette_portal.tenants.requests import signed_in
from palette_portal.vsphere.errors import VSphereError

# What the buttons send as "then".
UPDATE, CONFIRM = "update", "confirm"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def pool_add(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    cluster = get_cluster_for_change(request, cluster_id)
    check_can_begin(cluster)
    return _answer(request, cluster, None)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def pool_edit(request: HttpRequest, cluster_id: UUID, pool_id: UUID) -> HttpResponse:
    cluster = get_cluster_for_change(request, cluster_id)
    check_can_begin(cluster)
    return _answer(request, cluster, get_pool_or_404(cluster, pool_id))


def _answer(request: HttpRequest, cluster: Cluster, pool: MachinePool | None) -> HttpResponse:
    """vCenter is asked while the page says so; what it does not answer is said, and can be tried again."""
    assert cluster.cloud_account is not None  # it is Running
    is_waiting = request.method != "POST" and "wait" not in request.GET
    if is_waiting and cached_offer(cluster.cloud_account) is None:
        return _show(request, cluster, pool, None)
    try:
        offer = get_offer(cluster.cloud_account)
    except VSphereError as error:
        return _show(request, cluster, pool, None, error=error, status=200 if is_waiting else 422)
    if request.method != "POST":
        return _show(request, cluster, pool, _form(request, cluster, pool, offer))
    return _receive(request, cluster, pool, offer)


def _form(request: HttpRequest, cluster: Cluster, pool: MachinePool | None, offer: Offer) -> NodePoolForm:
    data = request.POST if request.method == "POST" else None
    return edit_pool_form(pool, offer, data) if pool else new_pool_form(cluster, offer, data)


def _receive(request: HttpRequest, cluster: Cluster, pool: MachinePool | None, offer: Offer) -> HttpResponse:
    if request.POST.get("then") == UPDATE:
        redrawn = (
            redrawn_pool_form(pool, offer, request.POST)
            if pool
            else redrawn_new_form(cluster, offer, request.POST)
        )
        return _show(request, cluster, pool, redrawn)
    form = _form(request, cluster, pool, offer)
    if "check" in request.GET:
        return _checked_field(form, request.GET["check"])
    if not form.is_valid():
        return _show(request, cluster, pool, form, status=422)
    try:
        return _edit(request, pool, form) if pool else _add(request, cluster, form)
    except Conflict as conflict:
        return _show(request, cluster, pool, form, refused=conflict.reason, status=409)


def _checked_field(form: NodePoolForm, wanted: str) -> HttpResponse:
    name = wanted.removeprefix(f"{form.prefix}-")
    if name not in form.fields:
        raise Http404
    form.is_valid()
    return HttpResponse(form[name].as_field_group())


def _add(request: HttpRequest, cluster: Cluster, form: NodePoolForm) -> HttpResponse:
    wanted = request_from(form, cluster)
    try:
        add_pool(cluster=cluster, request=wanted, by=signed_in(request))
    except (PoolNameTaken, PoolUnavailable) as refused:
        form.add_error("name" if isinstance(refused, PoolNameTaken) else "ip_pool", refused.reason)
        return _show(request, cluster, None, form, status=422)
    messages.info(request, f"The node pool {wanted.name} is being added.")
    return go_to(request, page_of(cluster))


def _edit(request: HttpRequest, pool: MachinePool, form: NodePoolForm) -> HttpResponse:
    """First what will happen is shown; with Confirm it happens."""
    wanted = edit_request_from(form, pool)
    renewal = plan_renewal(pool, wanted)
    if renewal.is_empty:
        raise Conflict(f"Nothing of {pool} is different.")
    if request.POST.get("then") != CONFIRM:
        return _show(request, pool.cluster, pool, form, renewal=renewal)
    operation = edit_pool(pool=pool, request=wanted, by=signed_in(request))
    messages.success(
        request, f"{pool} is being changed." if operation else f"The settings of {pool} are changed."
    )
    return go_to(request, page_of(pool.cluster, "detail" if operation else "nodes"))


def _show(
    request: HttpRequest,
    cluster: Cluster,
    pool: MachinePool | None,
    form: NodePoolForm | None,
    *,
    error: VSphereError | None = None,
    renewal: Renewal | None = None,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    title = f"Edit {pool}" if pool else "Add a worker pool"
    context = {
        "cluster": cluster,
        "pool": pool,
        "form": form,
        "title": title,
        "is_worker": pool is None or pool.is_worker,
        "error": error,
        "renewal": renewal,
        "refused": refused,
        "action": request.path,
        "crumbs": [
            ("Clusters", reverse("clusters:list")),
            (cluster.name, page_of(cluster)),
            ("Nodes", page_of(cluster, "nodes")),
            (title, ""),
        ],
    }
    template = "clusters/_pool_form.html" if is_partial(request) else "clusters/pool_page.html"
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
