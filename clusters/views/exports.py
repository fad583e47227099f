"""Downloads of what a list shows now: clusters and events, as CSV or JSON."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_GET

from clusters.event_log import all_events
from clusters.exports import download
from clusters.listing import ListedCluster, ListFilter, all_rows, clusters_for
from clusters.views.events import event_filter
from clusters.views.loading import get_cluster_or_404
from palette_portal.orchestration.models import Event
from palette_portal.tenants.requests import signed_in

CLUSTER_COLUMNS = [
    *("name", "state", "health", "profile", "profile_version", "kubernetes_version", "nodes_running"),
    *("nodes", "gateway", "project", "tags", "endpoint", "created_at", "id"),
]
EVENT_COLUMNS = ["number", "at", "severity", "reason", "object_kind", "object_name", "message"]


@require_GET
@login_required
def cluster_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    wanted = ListFilter.from_query(request.GET)
    user = signed_in(request)
    clusters = clusters_for(user, scope=getattr(request, "project", None))
    rows = (_cluster_row(listed) for listed in all_rows(clusters, wanted, user.own_tenant_id))
    return download(rows, columns=CLUSTER_COLUMNS, kind=kind, name="clusters")


def _cluster_row(listed: ListedCluster) -> dict[str, Any]:
    row = asdict(listed) | {
        "profile": listed.profile_name,
        "profile_version": listed.version,
        "gateway": listed.gateway_name,
        "project": listed.project_name,
        "nodes_running": listed.running_nodes,
        "endpoint": f"{listed.endpoint_host}:6443" if listed.endpoint_host else "",
        "created_at": listed.created_at.isoformat(timespec="seconds"),
        "id": str(listed.id),
    }
    return {column: row[column] for column in CLUSTER_COLUMNS}


@require_GET
@login_required
def event_export(request: HttpRequest, cluster_id: UUID, kind: str) -> HttpResponseBase:
    cluster = get_cluster_or_404(request, cluster_id)
    events = all_events(cluster, event_filter(request, cluster))
    rows = (_event_row(event) for event in events)
    return download(rows, columns=EVENT_COLUMNS, kind=kind, name=f"{cluster.name}-events")


def _event_row(event: Event) -> dict[str, Any]:
    row = {column: getattr(event, column) for column in EVENT_COLUMNS}
    return {**row, "at": event.at.isoformat(timespec="milliseconds")}
