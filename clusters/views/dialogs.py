"""What the dialogs about a cluster share: a dialog in the page, a page of its own without JavaScript."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect

from clusters.models import Cluster
from palette_portal.http import is_partial


@dataclass(frozen=True)
class Dialog:
    """What a dialog says; `body` is the template between its title and its button."""

    title: str
    button: str
    body: str
    tone: str = "danger"
    busy: str = ""


def show_dialog(
    request: HttpRequest, cluster: Cluster, dialog: Dialog, *, status: int = 200, **context: Any
) -> HttpResponse:
    crumbs = [("Clusters", reverse("clusters:list")), (cluster.name, page_of(cluster))]
    shown = {"cluster": cluster, "dialog": dialog, "dialog_action": request.path, "crumbs": crumbs, **context}
    template = "clusters/_leaving_dialog.html" if is_partial(request) else "clusters/leaving_page.html"
    response = render(request, template, shown, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def page_of(cluster: Cluster, tab: str = "detail") -> str:
    return reverse(f"clusters:{tab}", kwargs={"cluster_id": cluster.pk})


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    return HttpResponseClientRedirect(url) if is_partial(request) else redirect(url)
