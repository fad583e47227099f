"""Kubeconfig download: a dialog asks how long it shall work; the answer is the file."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clusters.actions.kubeconfig import LIFETIMES, Kubeconfig, issue_kubeconfig, reason_against_kubeconfig
from clusters.models import Cluster
from clusters.views.loading import get_cluster_or_404
from palette_portal.http import Conflict, is_partial
from palette_portal.tenants.permissions import Permission, check
from palette_portal.tenants.requests import signed_in

DEFAULT_HOURS = 8


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def kubeconfig_download(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    cluster = get_cluster_or_404(request, cluster_id)
    user = signed_in(request)
    check(user, Permission.DOWNLOAD_KUBECONFIG, project=cluster.project)
    if request.method != "POST":
        if reason := reason_against_kubeconfig(cluster):
            raise Conflict(reason)
        return _ask(request, cluster)
    hours = request.POST.get("hours", "")
    if hours not in map(str, LIFETIMES):
        return _ask(request, cluster, status=422)
    return _file(issue_kubeconfig(cluster=cluster, hours=int(hours), by=user))


def _ask(request: HttpRequest, cluster: Cluster, *, status: int = 200) -> HttpResponse:
    context = {
        "cluster": cluster,
        "lifetimes": LIFETIMES.items(),
        "chosen": DEFAULT_HOURS,
        "hours_error": "Choose how long it shall work." if status == 422 else "",
        "crumbs": [("Clusters", reverse("clusters:list")), (cluster.name, "")],
    }
    template = "clusters/_kubeconfig_dialog.html" if is_partial(request) else "clusters/kubeconfig_page.html"
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _file(kubeconfig: Kubeconfig) -> HttpResponse:
    response = HttpResponse(kubeconfig.content.reveal(), content_type="application/yaml")
    response["Content-Disposition"] = f'attachment; filename="{kubeconfig.file_name}"'
    response["Cache-Control"] = "private, no-store"
    return response
