"""Review an upgrade and apply it; roll back one that is not finished."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clusters.models import Cluster
from gateways.actions.replacement import nodes_for
from gateways.actions.upgrade import check_roll_back, check_upgrade, roll_back_gateway, upgrade_gateway
from gateways.upgrades import review_upgrade
from gateways.views.dialogs import Dialog, go_to, page_of, show_dialog
from gateways.views.loading import get_gateway_for_change
from palette_portal.http import Conflict
from palette_portal.tenants.requests import signed_in


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def gateway_upgrade(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    gateway = get_gateway_for_change(request, gateway_id)
    body = Cluster.objects.gateway_bodies().filter(gateway=gateway).first()
    dialog = Dialog(f"Upgrade {gateway}", "Upgrade gateway", "gateways/_upgrade_body.html", tone="primary")
    try:
        found, release = check_upgrade(gateway, body)
        if request.method != "POST":
            return show_dialog(request, gateway, dialog, review=review_upgrade(gateway, found, release))
        upgraded = upgrade_gateway(gateway=gateway, to=request.POST.get("to", ""), by=signed_in(request))
    except Conflict as conflict:
        return show_dialog(request, gateway, dialog, status=409, refused=conflict.reason)
    messages.info(request, f"{gateway} is being upgraded to {release}.")
    return go_to(request, page_of(gateway, upgraded))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def gateway_roll_back(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    gateway = get_gateway_for_change(request, gateway_id)
    body = Cluster.objects.gateway_bodies().filter(gateway=gateway).first()
    dialog = Dialog(f"Roll {gateway} back?", "Roll back", "gateways/_roll_back_body.html")
    try:
        found, release = check_roll_back(gateway, body)
        if request.method != "POST":
            return show_dialog(request, gateway, dialog, release=release, nodes=nodes_for(found, release))
        rolled = roll_back_gateway(gateway=gateway, by=signed_in(request))
    except Conflict as conflict:
        return show_dialog(request, gateway, dialog, status=409, refused=conflict.reason)
    messages.info(request, f"{gateway} is being rolled back to {release}.")
    return go_to(request, page_of(gateway, rolled))
