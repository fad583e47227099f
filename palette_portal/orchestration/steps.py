"""What a step is to the app that plans it (StepSpec) and to the function that does it (StepContext)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

JSON = Any


@dataclass(frozen=True)
class Subject:
    """What an operation or an event is about."""

    kind: str
    id: UUID
    name: str
    tenant_id: UUID
    project_id: UUID | None = None


@dataclass(frozen=True)
class StepSpec:
    key: str
    title: str
    function: str
    arguments: Mapping[str, JSON] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    group: str = ""
    # When workers are short, it goes before what became due up to so many seconds earlier.
    head_start_seconds: int = 0


class LostClaim(Exception):
    """Another worker has the step now: stop, nothing you return counts."""


class Hold(Protocol):
    """The claim on a running step."""

    def confirm(self) -> None: ...

    def keep_reference(self, external_ref: str) -> None: ...

    def show_progress(self, progress: int, message: str) -> None: ...


class NoHold:
    """For calling a step function outside the engine: nobody else can have the step."""

    def confirm(self) -> None:
        return

    def keep_reference(self, external_ref: str) -> None:
        return

    def show_progress(self, progress: int, message: str) -> None:
        return


@dataclass(frozen=True)
class StepContext:
    step_id: UUID
    operation_id: UUID
    operation_kind: str
    subject: Subject
    key: str
    arguments: Mapping[str, JSON]
    attempt: int
    external_ref: str
    hold: Hold = field(default_factory=NoHold, repr=False)

    def still_mine(self) -> None:
        """Raise LostClaim if the lease was lost: call it right before every write to the world outside."""
        self.hold.confirm()

    def keep_reference(self, external_ref: str) -> None:
        """Commit the reference at once: call it right after starting something outside."""
        self.hold.keep_reference(external_ref)

    def show_progress(self, progress: int, message: str) -> None:
        """Say how far a step has come that takes minutes. Raise LostClaim if the lease was lost."""
        self.hold.show_progress(progress, message)
