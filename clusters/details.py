"""What the parts of the Cluster Details page show; the page and the stream render the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from clusters.actions.queue import Place, places_of
from clusters.models import Cluster, ClusterSecrets, Machine, MachinePool, Placement
from palette_portal.orchestration.models import Event, OperationState, Severity
from palette_portal.orchestration.progress import Progress, latest_progress

EVENTS_PER_PAGE = 50
# Each other text is rendered apart for its streams, and each word is searched in three columns.
LONGEST_SEARCH = 100


@dataclass(frozen=True)
class EventFilter:
    """Severity ("" for all) and words that must all be in the event."""

    severity: str = ""
    text: str = ""

    @classmethod
    def from_query(cls, query: Any) -> "EventFilter":
        severity = query.get("severity", "")
        return cls(
            severity if severity in Severity.values else "", query.get("q", "")[:LONGEST_SEARCH].strip()
        )


def progress_of_cluster(cluster: Cluster) -> Progress | None:
    return latest_progress("cluster", [cluster.pk]).get(cluster.pk)


def head_context(cluster: Cluster) -> dict[str, Any]:
    """The title row, the run bar and what is said beside the steps."""
    progress = progress_of_cluster(cluster)
    return {"cluster": cluster, "progress": progress, "place": _place(cluster, progress)}


def _place(cluster: Cluster, progress: Progress | None) -> Place | None:
    if progress is None or progress.operation.state != OperationState.QUEUED:
        return None
    return places_of([cluster.pk]).get(cluster.pk)


def overview_context(cluster: Cluster, *, retry_denied: str) -> dict[str, Any]:
    return {
        **head_context(cluster),
        **summary_context(cluster),
        "machines": machines_of(cluster),
        "retry_denied": retry_denied,
    }


def summary_context(cluster: Cluster) -> dict[str, Any]:
    pools = list(cluster.machine_pools.select_related("ip_pool").prefetch_related("placements"))
    return {
        "cluster": cluster,
        "pools": pools,
        "placement": _first_placement(pools),
        "certificates_expire_at": _certificates_expire_at(cluster),
    }


def _certificates_expire_at(cluster: Cluster) -> datetime | None:
    """Without reading the secrets themselves."""
    return (
        ClusterSecrets.objects.filter(cluster=cluster)
        .values_list("certificates_expire_at", flat=True)
        .first()
    )


def machines_of(cluster: Cluster) -> QuerySet[Machine]:
    return cluster.machines.present().select_related("pool", "placement").order_by("pool__role", "index")


def _first_placement(pools: Sequence[MachinePool]) -> Placement | None:
    return next((placement for pool in pools for placement in pool.placements.all()), None)


@dataclass(frozen=True)
class EventPage:
    events: list[Event]
    # Where the next, older page begins; None when there is no older event.
    before: int | None


def event_page(cluster: Cluster, wanted: EventFilter, *, before: int | None = None) -> EventPage:
    rows = Event.objects.of(cluster.subject).current().before(before)
    found = list(rows.matching(severity=wanted.severity, text=wanted.text)[: EVENTS_PER_PAGE + 1])
    shown = found[:EVENTS_PER_PAGE]
    return EventPage(shown, shown[-1].number if len(found) > EVENTS_PER_PAGE else None)


def events_after(cluster: Cluster, wanted: EventFilter, number: int) -> list[Event]:
    """What a stream still has to send, oldest first: no more than the page can load."""
    rows = Event.objects.of(cluster.subject).current().after(number)
    return list(rows.matching(severity=wanted.severity, text=wanted.text))
