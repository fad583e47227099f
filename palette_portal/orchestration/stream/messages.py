from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from palette_portal.orchestration.changes import Change
from palette_portal.tenants.models import User


@dataclass(frozen=True)
class Message:
    """One server-sent event. Only log rows have an id: the event's number."""

    event: str
    html: str
    id: int | None = None

    def encode(self) -> bytes:
        head = [f"event: {self.event}"] if self.id is None else [f"id: {self.id}", f"event: {self.event}"]
        data = [f"data: {line}" for line in self.html.splitlines() or [""]]
        return ("\n".join([*head, *data]) + "\n\n").encode()


@dataclass(frozen=True)
class Subscription:
    """What one page wants to see. Pages with equal keys share what is rendered.

    The functions run in a thread. Log rows are always asked for by `log_after`, never taken from `changed`.
    """

    tenant_id: UUID
    subjects: frozenset[tuple[str, UUID]] | None
    key: Hashable
    snapshot: Callable[[], list[Message]]
    log_after: Callable[[int], list[Message]]
    changed: Callable[[Change], list[Message]]

    def wants(self, change: Change) -> bool:
        if change.tenant_id != self.tenant_id:
            return False
        return self.subjects is None or (change.subject_kind, change.subject_id) in self.subjects


class Channel(Protocol):
    """One per kind of page."""

    def open(
        self, user: User, path_arguments: Mapping[str, str], query: Mapping[str, str]
    ) -> Subscription | None:
        """In a thread, at the beginning and again and again; None when the user may not see it (any more)."""
