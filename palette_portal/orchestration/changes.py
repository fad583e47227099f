"""Tells pages and processes that something changed. NOTIFY carries only ids and is sent on commit."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

PAGES_CHANNEL = "portal"
WORKERS_CHANNEL = "portal_workers"
DISPATCHER_CHANNEL = "portal_dispatcher"


@dataclass(frozen=True)
class Change:
    tenant_id: UUID
    subject_kind: str
    subject_id: UUID
    event_number: int | None = None
    step_id: UUID | None = None

    def to_json(self) -> str:
        short = {"t": str(self.tenant_id), "k": self.subject_kind, "s": str(self.subject_id)}
        event = {"e": self.event_number} if self.event_number else {}
        step = {"p": str(self.step_id)} if self.step_id else {}
        return json.dumps({**short, **event, **step}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Change":
        value: dict[str, Any] = json.loads(text)
        step_id = value.get("p")
        return cls(
            tenant_id=UUID(value["t"]),
            subject_kind=value["k"],
            subject_id=UUID(value["s"]),
            event_number=value.get("e"),
            step_id=UUID(step_id) if step_id else None,
        )


def announce(*changes: Change) -> None:
    """Pages that show the subject render it again once this transaction is committed."""
    notify(PAGES_CHANNEL, *(change.to_json() for change in changes))


def notify(channel: str, *payloads: str) -> None:
    if payloads:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload", [channel, list(payloads)]
            )
