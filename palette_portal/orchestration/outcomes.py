"""What a step function returns. The engine records it, unless the claim on the step was lost."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from palette_portal.orchestration.states import Severity

if TYPE_CHECKING:
    from palette_portal.orchestration.steps import StepSpec

Write = Callable[[], None]


class Retry(Enum):
    """When to try again: seconds before the second attempt, and the longest pause."""

    SOON = (2, 60)
    SLOWLY = (60, 600)

    def seconds_after(self, attempt: int) -> float:
        """Double with every attempt."""
        first, longest = self.value
        return float(min(first * 2 ** min(attempt - 1, 20), longest))


@dataclass(frozen=True)
class Note:
    """An event to be recorded with the outcome."""

    severity: Severity
    reason: str
    message: str
    object_kind: str = ""
    object_name: str = ""


@dataclass(frozen=True)
class Done:
    message: str = ""
    notes: tuple[Note, ...] = ()
    write: Write | None = None
    add_steps: "tuple[StepSpec, ...]" = ()


@dataclass(frozen=True)
class Wait:
    """Come again after `seconds`, or at once when somebody rings `external_ref`. Not an attempt."""

    seconds: float
    message: str
    reason: str = ""
    external_ref: str = ""
    progress: int | None = None
    notes: tuple[Note, ...] = ()
    write: Write | None = None


@dataclass(frozen=True)
class Failed:
    reason: str
    message: str
    hint: str = ""
    retry: Retry = Retry.SOON
    notes: tuple[Note, ...] = ()
    write: Write | None = None


Outcome = Done | Wait | Failed
