from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from clusters.models import Cluster
from palette_portal.http import page_of
from palette_portal.tenants.permissions import Permission, can_somewhere
from palette_portal.tenants.requests import signed_in


@require_safe
@login_required
def cluster_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    clusters = Cluster.objects.visible_to(user).present().select_related("gateway", "project")
    if project := getattr(request, "project", None):
        clusters = clusters.filter(project=project)
    context = {
        "page": page_of(request, clusters.order_by("-created_at", "pk")),
        "crumbs": [("Clusters", "")],
        "may_deploy": can_somewhere(user, Permission.DEPLOY_CLUSTERS),
    }
    return render(request, "clusters/cluster_list.html", context)
