from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_POST, require_safe

from clusters.actions.retry import retry_step
from clusters.details import head_context, nodes_context, overview_context
from clusters.menus import actions_context
from clusters.models import Cluster
from clusters.views.loading import get_cluster_for_change, get_cluster_or_404, rights_of
from palette_portal.http import is_partial
from palette_portal.orchestration.models import Event, Step
from palette_portal.orchestration.progress import ShownStep
from palette_portal.tenants.requests import signed_in


@require_safe
@login_required
def cluster_detail(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    cluster = get_cluster_or_404(request, cluster_id, "created_by")
    after = Event.objects.filter(tenant_id=cluster.tenant_id).last_number()
    rights = rights_of(signed_in(request), cluster)
    context = overview_context(cluster, rights=rights)
    return tab_page(request, "overview", cluster, {**context, "after": after})


@require_safe
@login_required
def cluster_nodes(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    cluster = get_cluster_or_404(request, cluster_id)
    after = Event.objects.filter(tenant_id=cluster.tenant_id).last_number()
    rights = rights_of(signed_in(request), cluster)
    head = head_context(cluster)
    nodes = nodes_context(cluster, head["progress"], rights)
    return tab_page(request, "nodes", cluster, {**head, **nodes, "after": after})


@require_safe
@login_required
def cluster_settings(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    cluster = get_cluster_or_404(request, cluster_id, "gateway")
    after = Event.objects.filter(tenant_id=cluster.tenant_id).last_number()
    return tab_page(request, "settings", cluster, {**head_context(cluster), "after": after})


@require_POST
@login_required
def step_retry(request: HttpRequest, cluster_id: UUID, step_id: UUID) -> HttpResponse:
    cluster = get_cluster_for_change(request, cluster_id)
    step = get_object_or_404(Step.objects.of(cluster.subject), pk=step_id)
    retry_step(cluster=cluster, step=step, by=signed_in(request))
    if not is_partial(request):
        return redirect("clusters:detail", cluster_id=cluster.pk)
    step.refresh_from_db()
    return render(request, "clusters/_step.html", {"shown": ShownStep(step), "cluster": cluster})


def tab_page(request: HttpRequest, tab: str, cluster: Cluster, context: dict[str, Any]) -> HttpResponse:
    """`context` has the head's."""
    crumbs = [("Clusters", reverse("clusters:list")), (cluster.name, "")]
    actions = actions_context(cluster, context["progress"], rights_of(signed_in(request), cluster))
    shell = {"tab": tab, "crumbs": crumbs, **actions}
    response = render(request, f"clusters/cluster_{tab}.html", {**context, **shell})
    patch_vary_headers(response, ["HX-Request"])
    return response
