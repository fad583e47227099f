"""Reset, delete and rename a gateway: a dialog in the page, a page of its own without JavaScript."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRefresh

from clusters.models import Cluster
from gateways.actions.delete import (
    GatewayInUse,
    check_delete,
    check_remove_anyway,
    delete_gateway,
    failed_steps,
    farewell,
    remove_gateway_anyway,
)
from gateways.actions.rename import NameRefused, rename_gateway
from gateways.actions.reset import check_reset, reset_gateway
from gateways.models import PrivateCloudGateway
from gateways.states import check_renamable
from gateways.views.dialogs import Dialog, go_to, machines_of, page_of, show_dialog
from gateways.views.loading import get_gateway_for_change
from palette_portal.http import Conflict, is_partial
from palette_portal.tenants.requests import signed_in


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def gateway_reset(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    gateway = get_gateway_for_change(request, gateway_id)
    body = Cluster.objects.gateway_bodies().filter(gateway=gateway).first()
    dialog = Dialog(f"Reset {gateway}?", "Reset gateway", "gateways/_reset_body.html")
    try:
        check_reset(gateway, body)
        if request.method != "POST":
            return show_dialog(request, gateway, dialog, machines=machines_of(body))
        removed = reset_gateway(gateway=gateway, by=signed_in(request))
    except Conflict as conflict:
        return show_dialog(request, gateway, dialog, status=409, refused=conflict.reason)
    messages.info(request, f"{gateway} is being reset." if removed else f"{gateway} is reset.")
    return go_to(request, page_of(gateway, removed))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def gateway_delete(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    gateway = get_gateway_for_change(request, gateway_id)
    body = Cluster.objects.gateway_bodies().filter(gateway=gateway).first()
    dialog = Dialog(f"Delete {gateway}?", "Delete gateway", "gateways/_delete_body.html")
    asked = {
        "machines": machines_of(body),
        "pools": gateway.ip_pools.all(),
        "default_account": gateway.cloud_accounts.filter(is_default=True).first(),
        **_name_to_type(gateway),
    }
    try:
        check_delete(gateway)
        if request.method != "POST":
            return show_dialog(request, gateway, dialog, **asked)
        if not _is_name_typed(request, gateway):
            return show_dialog(request, gateway, dialog, status=422, **{**asked, "typed_wrong": True})
        removed = delete_gateway(gateway=gateway, by=signed_in(request))
    except GatewayInUse as used:
        return show_dialog(request, gateway, dialog, status=409, refused=used.reason, clusters=used.clusters)
    except Conflict as conflict:
        return show_dialog(request, gateway, dialog, status=409, refused=conflict.reason)
    messages.info(request, f"{gateway} is being deleted." if removed else farewell(gateway))
    return go_to(request, page_of(gateway, removed) if removed else reverse("gateways:list"))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def gateway_remove_anyway(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    """After Delete was tried and failed: vCenter is not asked any more."""
    gateway = get_gateway_for_change(request, gateway_id)
    body = Cluster.objects.gateway_bodies().filter(gateway=gateway).first()
    dialog = Dialog(f"Remove {gateway} anyway?", "Remove anyway", "gateways/_remove_anyway_body.html")
    asked = {"machines": machines_of(body), "body": body, **_name_to_type(gateway)}
    try:
        check_remove_anyway(gateway, body)
        asked["failed"] = failed_steps(body) if body else []
        if request.method != "POST":
            return show_dialog(request, gateway, dialog, **asked)
        if not _is_name_typed(request, gateway):
            return show_dialog(request, gateway, dialog, status=422, **{**asked, "typed_wrong": True})
        remove_gateway_anyway(gateway=gateway, by=signed_in(request))
    except Conflict as conflict:
        return show_dialog(request, gateway, dialog, status=409, refused=conflict.reason)
    messages.warning(request, farewell(gateway))
    return go_to(request, reverse("gateways:list"))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def gateway_rename(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    gateway = get_gateway_for_change(request, gateway_id)
    body = Cluster.objects.gateway_bodies().filter(gateway=gateway).first()
    dialog = Dialog(f"Rename {gateway}", "Rename gateway", "gateways/_rename_body.html", tone="primary")
    name = request.POST.get("name", gateway.name)[:200]
    try:
        check_renamable(gateway)
        if request.method != "POST":
            return show_dialog(request, gateway, dialog, body=body, typed=name)
        rename_gateway(gateway=gateway, name=name, by=signed_in(request))
    except NameRefused as error:
        return show_dialog(
            request, gateway, dialog, status=422, body=body, typed=name, name_error=error.reason
        )
    except Conflict as conflict:
        return show_dialog(request, gateway, dialog, status=409, refused=conflict.reason)
    messages.success(request, f"The gateway is called {name.strip()} now.")
    return HttpResponseClientRefresh() if is_partial(request) else redirect(page_of(gateway, body))


def _name_to_type(gateway: PrivateCloudGateway) -> dict[str, Any]:
    return {"must_equal": gateway.display_name, "typed_wrong": False}


def _is_name_typed(request: HttpRequest, gateway: PrivateCloudGateway) -> bool:
    return request.POST.get("name", "").strip() == gateway.display_name
