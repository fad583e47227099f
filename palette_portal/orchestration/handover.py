from palette_portal.orchestration.models import Step
from palette_portal.orchestration.outcomes import Done, Outcome, Wait
from palette_portal.orchestration.steps import StepContext


def ensure_earlier_steps_ended(context: StepContext) -> Outcome:
    """The first step of an operation that follows a cancelled one: no worker does an old step any more."""
    running = Step.objects.of(context.subject).exclude(operation_id=context.operation_id).held()
    titles = list(running.values_list("title", flat=True)[:5])
    if titles:
        return Wait(1, f"Waiting until the cancelled operation has let go: {', '.join(titles)}.")
    return Done()
