"""The steps that take a cluster out of vCenter: an address is freed when its machine is known to be gone."""

from collections.abc import Iterable, Sequence
from itertools import chain

from clusters.models import Machine
from palette_portal.orchestration.steps import StepSpec

EARLIER_STEPS_ENDED = "earlier-steps-ended"
NOTHING_LEFT = "nothing-left"
ADDRESSES_RELEASED = "addresses-released"
CLUSTER_DELETED = "cluster-deleted"


def removal_plan(machines: Sequence[Machine], *, extra_steps: Sequence[StepSpec] = ()) -> list[StepSpec]:
    """Machines go side by side. `extra_steps` come when the cluster is Deleted."""
    gone = [gone_key(machine) for machine in machines]
    return [
        _step(EARLIER_STEPS_ENDED, "Stop what is running", "ensure_earlier_steps_ended"),
        *chain.from_iterable(machine_removal(machine, after=[EARLIER_STEPS_ENDED]) for machine in machines),
        _step(NOTHING_LEFT, "Look for anything left", "ensure_nothing_left", [EARLIER_STEPS_ENDED, *gone]),
        _step(ADDRESSES_RELEASED, "Release IP addresses", "ensure_addresses_released", [NOTHING_LEFT]),
        _step(CLUSTER_DELETED, "Finish the removal", "ensure_cluster_deleted", [ADDRESSES_RELEASED]),
        *extra_steps,
    ]


def gone_key(machine: Machine) -> str:
    """The last step of a machine's removal."""
    return f"{machine.name}/gone"


def machine_removal(machine: Machine, *, after: Sequence[str]) -> list[StepSpec]:
    gone = gone_key(machine)
    tasks, off, destroyed = (f"{machine.name}/{word}" for word in ("tasks-ended", "powered-off", "destroyed"))
    return [
        _step(tasks, "Stop vSphere tasks", "ensure_machine_tasks_ended", after, machine),
        _step(off, "Power off", "ensure_machine_powered_off", [tasks], machine),
        _step(destroyed, "Remove virtual machine", "ensure_machine_destroyed", [off], machine),
        _step(gone, "Confirm that it is gone", "ensure_machine_gone", [destroyed], machine),
    ]


def _step(
    key: str, title: str, function: str, depends_on: Iterable[str] = (), machine: Machine | None = None
) -> StepSpec:
    return StepSpec(
        key=key,
        title=title,
        function=f"clusters.steps.removal.{function}",
        arguments={"machine": str(machine.id)} if machine else {},
        depends_on=tuple(depends_on),
        group=machine.name if machine else "",
    )
