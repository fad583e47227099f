from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_POST, require_safe

from clusters.actions.retry import retry_step
from clusters.details import (
    EventFilter,
    event_page,
    head_context,
    machines_of,
    overview_context,
)
from clusters.menus import actions_context
from clusters.models import Cluster
from clusters.views.loading import get_cluster_for_change, get_cluster_or_404, rights_of
from palette_portal.http import is_partial
from palette_portal.orchestration.models import Event, Severity, Step
from palette_portal.orchestration.progress import ShownStep
from palette_portal.tenants.requests import signed_in


@require_safe
@login_required
def cluster_detail(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    cluster = get_cluster_or_404(request, cluster_id)
    after = Event.objects.filter(tenant_id=cluster.tenant_id).last_number()
    rights = rights_of(signed_in(request), cluster)
    context = overview_context(cluster, retry_denied=rights.change)
    return _page(request, "overview", cluster, {**context, "after": after})


@require_safe
@login_required
def cluster_nodes(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    cluster = get_cluster_or_404(request, cluster_id)
    after = Event.objects.filter(tenant_id=cluster.tenant_id).last_number()
    return _page(
        request,
        "nodes",
        cluster,
        {**head_context(cluster), "machines": machines_of(cluster), "after": after},
    )


@require_safe
@login_required
def cluster_events(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    """The page; for HTMX its rows, from the newest (a changed filter) or before a number (older ones)."""
    cluster = get_cluster_or_404(request, cluster_id)
    wanted = EventFilter.from_query(request.GET)
    context = {"cluster": cluster, "filter": wanted, "severities": Severity.choices}
    if is_partial(request) and "before" in request.GET:
        context["event_page"] = event_page(cluster, wanted, before=_number(request.GET["before"]))
        response = render(request, "clusters/_event_rows.html", context)
        patch_vary_headers(response, ["HX-Request"])
        return response
    context["after"] = Event.objects.filter(tenant_id=cluster.tenant_id).last_number()
    context["event_page"] = event_page(cluster, wanted)
    if is_partial(request):
        response = render(request, "clusters/_event_log.html", context)
        patch_vary_headers(response, ["HX-Request"])
        return response
    return _page(request, "events", cluster, {**head_context(cluster), **context})


@require_safe
@login_required
def cluster_settings(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    cluster = get_cluster_or_404(request, cluster_id)
    after = Event.objects.filter(tenant_id=cluster.tenant_id).last_number()
    return _page(request, "settings", cluster, {**head_context(cluster), "after": after})


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


def _page(request: HttpRequest, tab: str, cluster: Cluster, context: dict[str, object]) -> HttpResponse:
    crumbs = [("Clusters", reverse("clusters:list")), (cluster.name, "")]
    actions = actions_context(cluster, rights_of(signed_in(request), cluster))
    shell = {"tab": tab, "crumbs": crumbs, **actions}
    response = render(request, f"clusters/cluster_{tab}.html", {**context, **shell})
    patch_vary_headers(response, ["HX-Request"])
    return response


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Http404("Not an event number.")
    return int(text)
