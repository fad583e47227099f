from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from clusters.details import head_context
from clusters.event_log import EventFilter, event_page
from clusters.models import Cluster
from clusters.views.clusters import tab_page
from clusters.views.loading import get_cluster_or_404
from palette_portal.http import is_partial
from palette_portal.orchestration.models import Event, Severity
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, can, check
from palette_portal.tenants.requests import signed_in


@require_safe
@login_required
def cluster_events(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    """The page; for HTMX its rows, from the newest (a changed filter) or before a number (older ones)."""
    cluster = get_cluster_or_404(request, cluster_id)
    context: dict[str, Any] = {
        "cluster": cluster,
        "filter": event_filter(request, cluster),
        "severities": Severity.choices,
        "may_see_archived": _may_see_archived(signed_in(request), cluster),
    }
    if is_partial(request) and "before" in request.GET:
        return _part(request, "clusters/_event_rows.html", context, before=_number(request.GET["before"]))
    context["after"] = Event.objects.filter(tenant_id=cluster.tenant_id).last_number()
    if is_partial(request):
        return _part(request, "clusters/_event_log.html", {**context, "is_part": True})
    context["event_page"] = event_page(cluster, context["filter"])
    return tab_page(request, "events", cluster, {**head_context(cluster), **context})


def event_filter(request: HttpRequest, cluster: Cluster) -> EventFilter:
    """Raise Denied when archived events are asked for by somebody who may not see them."""
    wanted = EventFilter.from_query(request.GET)
    if wanted.archived:
        check(signed_in(request), Permission.VIEW_AUDIT, project=cluster.project)
    return wanted


def _may_see_archived(user: User, cluster: Cluster) -> bool:
    return can(user, Permission.VIEW_AUDIT, project=cluster.project)


def _part(
    request: HttpRequest, template: str, context: dict[str, Any], *, before: int | None = None
) -> HttpResponse:
    page = event_page(context["cluster"], context["filter"], before=before)
    response = render(request, template, {**context, "event_page": page})
    patch_vary_headers(response, ["HX-Request"])
    return response


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Http404("Not an event number.")
    return int(text)
