"""How far an operation is, as pages show it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from uuid import UUID

from palette_portal.orchestration.models import Operation, Step
from palette_portal.orchestration.states import StepState

# What a step looks like; the words are those of the style sheet's data-s.
_LOOKS: Mapping[str, str] = {
    StepState.PENDING: "waiting",
    StepState.READY: "waiting",
    StepState.RUNNING: "active",
    StepState.WAITING: "active",
    StepState.RETRYING: "retrying",
    StepState.DONE: "done",
    StepState.CANCELLED: "cancelled",
}


@dataclass(frozen=True)
class ShownStep:
    """Pages ask for the same several times per step, so each answer is kept."""

    step: Step

    @cached_property
    def look(self) -> str:
        """A step that failed and tries again stays amber while it tries, or the page would flicker."""
        return "retrying" if self.step.has_failed else _LOOKS[self.step.state]

    @property
    def has_body(self) -> bool:
        return self.look != "waiting"

    @property
    def is_open(self) -> bool:
        return self.look in ("active", "retrying")


@dataclass(frozen=True)
class StepGroup:
    """Consecutive steps of the cluster itself (no name) or of one machine."""

    name: str
    steps: tuple[ShownStep, ...]


@dataclass(frozen=True)
class Progress:
    operation: Operation
    steps: tuple[ShownStep, ...]

    @cached_property
    def done(self) -> int:
        return sum(shown.look == "done" for shown in self.steps)

    @property
    def total(self) -> int:
        return len(self.steps)

    @cached_property
    def current(self) -> ShownStep | None:
        """The step that the page names: one in trouble before one that runs."""
        for look in ("retrying", "active", "waiting"):
            for shown in self.steps:
                if shown.look == look:
                    return shown
        return None

    @cached_property
    def looks(self) -> list[str]:
        return [shown.look for shown in self.steps]

    @cached_property
    def groups(self) -> list[StepGroup]:
        grouped = groupby(self.steps, key=lambda shown: shown.step.group)
        return [StepGroup(name, tuple(steps)) for name, steps in grouped]


def progress_of(operation: Operation) -> Progress:
    return Progress(operation, tuple(ShownStep(step) for step in operation.steps.order_by("position")))


def latest_progress(subject_kind: str, subject_ids: Iterable[UUID]) -> dict[UUID, Progress]:
    """The latest operation of each subject with its steps, in two queries."""
    operations = Operation.objects.filter(subject_kind=subject_kind, subject_id__in=list(subject_ids))
    latest = list(operations.order_by("subject_id", "-created_at").distinct("subject_id"))
    steps: dict[UUID, list[ShownStep]] = {operation.pk: [] for operation in latest}
    # A prefetch would do the same in a third more time, and open pages ask for this at every change.
    for step in Step.objects.filter(operation__in=list(steps)).order_by("position"):
        steps[step.operation_id].append(ShownStep(step))
    return {operation.subject_id: Progress(operation, tuple(steps[operation.pk])) for operation in latest}
