"""`python -m tests.chaos.begin PLAN`: start an operation of thirty steps with fan-out; print its id."""

import os
import sys
from uuid import uuid4

BRANCHES, LENGTH = 5, 5


def keys() -> list[str]:
    branches = [f"machine-{b}-{n}" for b in range(BRANCHES) for n in range(LENGTH)]
    return ["first", *branches, "join", "then", "almost", "last"]


def held():
    """One step that keeps its worker until that is killed."""
    from palette_portal.orchestration.steps import StepSpec

    yield StepSpec("held", "held", "tests.chaos.steps.ensure_killed_once")


def one_step():
    from palette_portal.orchestration.steps import StepSpec

    yield StepSpec("one", "one", "tests.chaos.steps.ensure_thing")


def thirty_steps():
    from palette_portal.orchestration.steps import StepSpec

    def spec(key: str, *depends_on: str, group: str = "") -> StepSpec:
        return StepSpec(key, key, "tests.chaos.steps.ensure_thing", depends_on=depends_on, group=group)

    ends = []
    yield spec("first")
    for branch in range(BRANCHES):
        before = "first"
        for n in range(LENGTH):
            key = f"machine-{branch}-{n}"
            yield spec(key, before, group=f"machine-{branch}")
            before = key
        ends.append(before)
    yield spec("join", *ends)
    yield spec("then", "join")
    yield spec("almost", "then")
    yield spec("last", "almost")


def main() -> None:
    plan = {"held": held, "one_step": one_step, "thirty_steps": thirty_steps}[sys.argv[1]]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.chaos.settings")
    import django

    django.setup()
    from palette_portal.orchestration.actions import start_operation
    from palette_portal.orchestration.models import OperationKind
    from palette_portal.orchestration.steps import Subject
    from palette_portal.tenants.models import Tenant

    tenant = Tenant.objects.create(name="chaos", slug=f"chaos-{uuid4().hex[:8]}")
    subject = Subject("cluster", uuid4(), "cluster-1", tenant.pk)
    operation = start_operation(kind=OperationKind.PROVISION, subject=subject, steps=list(plan()), by=None)
    sys.stdout.write(f"{operation.pk}\n")


if __name__ == "__main__":
    main()
