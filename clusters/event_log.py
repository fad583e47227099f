"""The event log of a cluster: what is wanted, its pages from the newest, and all of it for a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.http import urlencode

from clusters.models import Cluster
from palette_portal.orchestration.models import Event, EventQuerySet, Severity

EVENTS_PER_PAGE = 50
EVENTS_PER_READING = 1000
# Each other text is rendered apart for its streams, and each word is searched in three columns.
LONGEST_SEARCH = 100


@dataclass(frozen=True)
class EventFilter:
    """Severity ("" for all), words that must all be in the event, and whether archived ones are wanted."""

    severity: str = ""
    text: str = ""
    archived: bool = False

    @classmethod
    def from_query(cls, query: Any) -> "EventFilter":
        severity, text = query.get("severity", ""), query.get("q", "").replace("\x00", "")
        return cls(
            severity if severity in Severity.values else "",
            text[:LONGEST_SEARCH].strip(),
            archived=query.get("archived") == "1",
        )

    @property
    def query(self) -> str:
        named = {"severity": self.severity, "q": self.text, "archived": "1" if self.archived else ""}
        return urlencode({name: value for name, value in named.items() if value})


@dataclass(frozen=True)
class EventPage:
    events: list[Event]
    # Where the next, older page begins; None when there is no older event.
    before: int | None


def event_page(cluster: Cluster, wanted: EventFilter, *, before: int | None = None) -> EventPage:
    found = list(_wanted(cluster, wanted).before(before)[: EVENTS_PER_PAGE + 1])
    shown = found[:EVENTS_PER_PAGE]
    return EventPage(shown, shown[-1].number if len(found) > EVENTS_PER_PAGE else None)


def events_after(cluster: Cluster, wanted: EventFilter, number: int) -> list[Event]:
    """What a stream still has to send, oldest first: no more than the page can load."""
    rows = Event.objects.of(cluster.subject).current().after(number)
    return list(rows.matching(severity=wanted.severity, text=wanted.text))


def all_events(cluster: Cluster, wanted: EventFilter) -> Iterator[Event]:
    """Newest first, read in portions."""
    before: int | None = None
    while events := list(_wanted(cluster, wanted).before(before)[:EVENTS_PER_READING]):
        yield from events
        before = events[-1].number


def _wanted(cluster: Cluster, wanted: EventFilter) -> EventQuerySet:
    rows = Event.objects.of(cluster.subject)
    rows = rows if wanted.archived else rows.current()
    return rows.matching(severity=wanted.severity, text=wanted.text)
