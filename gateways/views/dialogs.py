"""What the dialogs about a gateway share: a dialog in the page, a page of its own without JavaScript."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect

from clusters.models import Cluster, Machine
from gateways.models import PrivateCloudGateway
from palette_portal.http import is_partial


@dataclass(frozen=True)
class Dialog:
    """What a dialog says; `body` is the template between its title and its button."""

    title: str
    button: str
    body: str
    tone: str = "danger"


def show_dialog(
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


def machines_of(body: Cluster | None) -> list[Machine]:
    return list(body.machines.present().order_by("name")) if body else []


def page_of(gateway: PrivateCloudGateway, cluster: Cluster | None) -> str:
    if cluster is not None:
        return reverse("clusters:detail", kwargs={"cluster_id": cluster.pk})
    return reverse("gateways:detail", args=[gateway.pk])


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    return HttpResponseClientRedirect(url) if is_partial(request) else redirect(url)
