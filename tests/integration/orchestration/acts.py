"""What the tests' steps do: outcomes waiting in a list per step key, and a record of who was called."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from palette_portal.orchestration.actions import start_operation
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.orchestration.outcomes import Done, Outcome
from palette_portal.orchestration.steps import StepContext, StepSpec, Subject
from palette_portal.tenants.models import Tenant, User

HERE = "tests.integration.orchestration.acts.act"
Act = Outcome | Exception | Callable[[StepContext], Outcome]
plays: dict[str, list[Act]] = {}
calls: list[StepContext] = []


def act(context: StepContext) -> Outcome:
    """Play the next act of this key; without any the step is done."""
    calls.append(context)
    acts = plays.get(context.key)
    current = acts.pop(0) if acts else Done()
    if isinstance(current, Exception):
        raise current
    return current(context) if callable(current) else current


def called() -> list[str]:
    return [context.key for context in calls]


def spec(key: str, *depends_on: str, **more: Any) -> StepSpec:
    return StepSpec(key=key, title=f"Make {key}", function=HERE, depends_on=depends_on, **more)


def make_tenant(name: str = "acme") -> Tenant:
    return Tenant.objects.create(name=name, slug=f"{name}-{uuid4().hex[:8]}")


def make_subject(tenant: Tenant | None = None, name: str = "gateway-1") -> Subject:
    return Subject("cluster", uuid4(), name, (tenant or make_tenant()).pk)


def start(*steps: StepSpec, subject: Subject | None = None, by: User | None = None, **more: Any) -> Operation:
    return start_operation(
        kind=OperationKind.PROVISION, subject=subject or make_subject(), steps=steps, by=by, **more
    )


def script(**acts: Act | Sequence[Act]) -> None:
    for key, value in acts.items():
        plays[key] = list(value) if isinstance(value, list | tuple) else [value]  # type: ignore[list-item]
