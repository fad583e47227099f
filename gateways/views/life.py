"""Reset, delete and rename a gateway: a dialog in the page, a page of its own without JavaScript."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from clusters.models import Cluster, Machine
from gateways.actions.reset import check_reset, reset_gateway
from gateways.models import PrivateCloudGateway
from gateways.views.loading import get_gateway_for_change, signed_in
from palette_portal.http import Conflict, is_partial


@dataclass(frozen=True)
class Dialog:
    """What a dialog says; `body` is the template between its title and its button."""

    title: str
    button: str
    body: str
    tone: str = "danger"


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
            return _show(request, gateway, dialog, machines=_machines(body))
        removed = reset_gateway(gateway=gateway, by=signed_in(request))
    except Conflict as conflict:
        return _show(request, gateway, dialog, status=409, refused=conflict.reason)
    messages.info(request, f"{gateway} is being reset. Its steps are shown here." if removed else "Reset.")
    return _go_to(request, _page_of(gateway, removed))


def _show(
    request: HttpRequest,
    gateway: PrivateCloudGateway,
    dialog: Dialog,
    *,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    crumbs = [("Private Cloud Gateways", reverse("gateways:list")), (gateway.display_name, "")]
    shown = {"gateway": gateway, "dialog": dialog, "dialog_action": request.path, "crumbs": crumbs, **context}
    template = "gateways/_life_dialog.html" if is_partial(request) else "gateways/life_page.html"
    response = render(request, template, shown, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _machines(body: Cluster | None) -> list[Machine]:
    return list(body.machines.present().order_by("name")) if body else []


def _page_of(gateway: PrivateCloudGateway, cluster: Cluster | None) -> str:
    if cluster is not None:
        return reverse("clusters:detail", kwargs={"cluster_id": cluster.pk})
    return reverse("gateways:detail", args=[gateway.pk])


def _go_to(request: HttpRequest, url: str) -> HttpResponse:
    return HttpResponseClientRedirect(url) if is_partial(request) else redirect(url)
