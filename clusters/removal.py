"""The steps that take a cluster out of vCenter: an address is freed when its machine is known to be gone."""

from collections.abc import Iterable, Sequence
from itertools import chain

from clusters.models import Cluster, Machine
from palette_portal.orchestration.steps import StepSpec

EARLIER_STEPS_ENDED = "earlier-steps-ended"
NOTHING_LEFT = "nothing-left"
ADDRESSES_RELEASED = "addresses-released"
FOLDER_REMOVED = "folder-removed"
CLUSTER_DELETED = "cluster-deleted"
TAGS_REMOVED = "tags-removed"
FORGOTTEN = "forgotten"


def removal_plan(
    cluster: Cluster, machines: Sequence[Machine], *, extra_steps: Sequence[StepSpec] = ()
) -> list[StepSpec]:
    """Machines go side by side. `extra_steps` come when the cluster is Deleted."""
    gone = [gone_key(machine) for machine in machines]
    extras = _belongings(cluster)
    return [
        _step(EARLIER_STEPS_ENDED, "Stop what is running", "removal.ensure_earlier_steps_ended"),
        *chain.from_iterable(machine_removal(machine, after=[EARLIER_STEPS_ENDED]) for machine in machines),
        _step(
            NOTHING_LEFT,
            "Look for anything left",
            "removal.ensure_nothing_left",
            [EARLIER_STEPS_ENDED, *gone],
        ),
        _step(
            ADDRESSES_RELEASED, "Release IP addresses", "removal.ensure_addresses_released", [NOTHING_LEFT]
        ),
        *extras,
        _step(
            CLUSTER_DELETED,
            "Finish the removal",
            "removal.ensure_cluster_deleted",
            [ADDRESSES_RELEASED, *(extra.key for extra in extras)],
        ),
        *extra_steps,
    ]


def _belongings(cluster: Cluster) -> list[StepSpec]:
    folder = _step(
        FOLDER_REMOVED,
        "Remove the cluster's folder",
        "belongings.ensure_own_folder_removed",
        [NOTHING_LEFT],
    )
    tags = _step(TAGS_REMOVED, "Remove unused tags", "belongings.ensure_unused_tags_removed", [NOTHING_LEFT])
    return [*([folder] if cluster.has_own_folder else []), *([tags] if cluster.tags else [])]


def forced_plan(cluster: Cluster, machines: Sequence[Machine]) -> list[StepSpec]:
    """No step of it waits for anything for long, and none fails: the last one gives up what is left."""
    return [
        _step(EARLIER_STEPS_ENDED, "Stop what is running", "removal.ensure_earlier_steps_ended"),
        *(_last_try(machine) for machine in machines),
        _step(
            FORGOTTEN,
            "List what remains",
            "forced.ensure_forgotten",
            [EARLIER_STEPS_ENDED, *(_last_try(machine).key for machine in machines)],
        ),
    ]


def _last_try(machine: Machine) -> StepSpec:
    key = f"{machine.name}/last-try"
    return _step(key, "Try once more", "forced.ensure_tried_once_more", [EARLIER_STEPS_ENDED], machine)


def gone_key(machine: Machine) -> str:
    """The last step of a machine's removal."""
    return f"{machine.name}/gone"


def machine_removal(machine: Machine, *, after: Sequence[str]) -> list[StepSpec]:
    gone = gone_key(machine)
    tasks, off, destroyed = (f"{machine.name}/{word}" for word in ("tasks-ended", "powered-off", "destroyed"))
    return [
        _step(tasks, "Stop vSphere tasks", "removal.ensure_machine_tasks_ended", after, machine),
        _step(off, "Power off", "removal.ensure_machine_powered_off", [tasks], machine),
        _step(destroyed, "Remove virtual machine", "removal.ensure_machine_destroyed", [off], machine),
        _step(gone, "Confirm that it is gone", "removal.ensure_machine_gone", [destroyed], machine),
    ]


def _step(
    key: str, title: str, function: str, depends_on: Iterable[str] = (), machine: Machine | None = None
) -> StepSpec:
    return StepSpec(
        key=key,
        title=title,
        function=f"clusters.steps.{function}",
        arguments={"machine": str(machine.id)} if machine else {},
        depends_on=tuple(depends_on),
        group=machine.name if machine else "",
    )
