"""Machines that come into a running cluster and leave it: parts of one operation's plan.

`after` are the steps before the first one. `prefix` keeps two parts of one operation apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from clusters.models import AddressAllocation, Cluster, Machine, MachinePool, PoolRole
from clusters.plan import (
    ACCOUNT_VALID,
    ADDRESSES_CLAIMED,
    IMAGE_FOUND,
    PLACEMENT_VALID,
    in_cluster_key,
    machine_steps,
    step_spec,
)
from clusters.removal import EARLIER_STEPS_ENDED, gone_key, machine_removal
from palette_portal.orchestration.steps import StepSpec

__all__ = [
    "add_machines_plan",
    "gone_key",
    "ready_key",
    "remove_machines_plan",
    "replace_machines_plan",
]

JOIN_TOKEN = "join-token"
KUBERNETES_VERSION = "kubernetes-version"


def ready_key(machine: Machine) -> str:
    """The step after which the machine's node takes pods."""
    return f"{machine.name}/ready"


def add_machines_plan(
    cluster: Cluster, machines: Sequence[Machine], *, after: Sequence[str] = (), prefix: str = ""
) -> list[StepSpec]:
    """All are cloned side by side. Control plane nodes join one at a time, workers together."""
    if not machines:
        return []
    before = _prepare(cluster, machines, after=after, prefix=prefix)
    claimed = _claim(cluster, machines, f"{prefix}{ADDRESSES_CLAIMED}", before.account)
    masters = [machine for machine in machines if machine.pool.role == PoolRole.CONTROL_PLANE]
    earlier = dict(zip((machine.pk for machine in masters[1:]), masters, strict=False))
    return [
        *before.steps,
        *claimed,
        *chain.from_iterable(
            _add(
                machine,
                before,
                before_clone=[step.key for step in claimed],
                before_power_on=[ready_key(earlier[machine.pk])] if machine.pk in earlier else [],
            )
            for machine in machines
        ),
    ]


def remove_machines_plan(
    cluster: Cluster, machines: Sequence[Machine], *, after: Sequence[str] = (), prefix: str = ""
) -> list[StepSpec]:
    """Control plane nodes leave one at a time, workers together.

    What an operation that was cancelled still does to a machine ends first.
    """
    if not machines:
        return []
    ended = f"{prefix}{EARLIER_STEPS_ENDED}"
    title = "Wait for what was running"
    steps = [step_spec(ended, title, "removal.ensure_earlier_steps_ended", after)]
    last_master = ended
    for machine in machines:
        is_master = machine.pool.role == PoolRole.CONTROL_PLANE
        steps += _remove(machine, after=[last_master if is_master else ended])
        last_master = gone_key(machine) if is_master else last_master
    return steps


def replace_machines_plan(
    pool: MachinePool, old: Sequence[Machine], new: Sequence[Machine], *, after: Sequence[str] = ()
) -> list[StepSpec]:
    """One after the other, within the pool's limits: `surge` more machines, `unavailable` fewer.

    On the control plane a new node joins, then an old one leaves. Each new machine claims its address when
    its turn comes, so that the pool's spare address is enough.
    """
    if not new:
        return remove_machines_plan(pool.cluster, old, after=after, prefix=f"{pool.name}:")
    before = _prepare(pool.cluster, new, after=after, prefix=f"{pool.name}:")
    version = _version(pool, old, new, before)
    is_master = pool.role == PoolRole.CONTROL_PLANE
    surge, unavailable = (1, 0) if is_master else (pool.surge, pool.unavailable)
    steps = [*before.steps, *version]
    for turn in range(max(len(old), len(new))):
        if turn < len(new):
            left = [gone_key(machine) for machine in old[: max(0, turn - surge + 1)]]
            earlier = [ready_key(new[turn - 1])] if is_master and turn else []
            steps += _replacement(new[turn], before, after=[*left, *earlier, *(step.key for step in version)])
        if turn < len(old):
            joined = [ready_key(machine) for machine in new[: max(0, turn - unavailable + 1)]]
            earlier = [gone_key(old[turn - 1])] if is_master and turn else []
            steps += _remove(old[turn], after=[*joined, *earlier] or [before.token])
    return [*steps, *(_addons(pool, old, new) if version else [])]


@dataclass(frozen=True)
class _Before:
    """What new machines need before the first of them is made."""

    cluster: Cluster
    steps: list[StepSpec]
    account: str
    clone: tuple[str, ...]
    token: str


def _prepare(cluster: Cluster, machines: Sequence[Machine], *, after: Sequence[str], prefix: str) -> _Before:
    account, placement, image, token = (
        f"{prefix}{key}" for key in (ACCOUNT_VALID, PLACEMENT_VALID, IMAGE_FOUND, JOIN_TOKEN)
    )
    ids = _ids(machines)
    steps = [
        step_spec(account, "Validate cloud account", "preparation.ensure_account_valid", after),
        step_spec(
            placement, "Check placement", "preparation.ensure_placement_valid", [account], machines=ids
        ),
        step_spec(
            image, "Provide image template", "images.ensure_image_template_found", [account], machines=ids
        ),
        step_spec(token, "Make a token for new nodes", "membership.ensure_join_token", after),
    ]
    return _Before(cluster, steps, account, (placement, image), token)


def _claim(cluster: Cluster, machines: Sequence[Machine], key: str, after: str) -> list[StepSpec]:
    if cluster.address_allocation != AddressAllocation.STATIC:
        return []
    function = "preparation.ensure_addresses_claimed"
    return [step_spec(key, "Claim IP addresses", function, [after], machines=_ids(machines))]


def _version(
    pool: MachinePool, old: Sequence[Machine], new: Sequence[Machine], before: _Before
) -> list[StepSpec]:
    """What kubeadm is told once, before the first control plane node of another version joins."""
    wanted = new[0].kubernetes_version
    if pool.role != PoolRole.CONTROL_PLANE or all(machine.kubernetes_version == wanted for machine in old):
        return []
    key = f"{pool.name}:{KUBERNETES_VERSION}"
    title, function = "Tell the cluster its version", "membership.ensure_kubernetes_version"
    return [step_spec(key, title, function, [before.token], version=wanted)]


def _addons(pool: MachinePool, old: Sequence[Machine], new: Sequence[Machine]) -> list[StepSpec]:
    after = [*map(ready_key, new), *map(gone_key, old)]
    key, title, version = f"{pool.name}:addons", "Bring its pods to the version", new[0].kubernetes_version
    return [step_spec(key, title, "membership.ensure_addons_follow", after, version=version)]


def _add(
    machine: Machine, before: _Before, *, before_clone: Iterable[str], before_power_on: Sequence[str]
) -> list[StepSpec]:
    ready = ready_key(machine)
    entering = machine_steps(
        machine,
        before_clone=[*before.clone, *before_clone],
        before_configuring=[before.token],
        before_power_on=before_power_on,
        before_blanking=[ready],
    )
    is_ready = step_spec(
        ready, "Wait for the node", "nodes.ensure_machine_ready", [in_cluster_key(machine)], machine
    )
    return [*entering[:-1], is_ready, entering[-1]]


def _replacement(machine: Machine, before: _Before, *, after: Sequence[str]) -> list[StepSpec]:
    key = f"{machine.name}/{ADDRESSES_CLAIMED}"
    claimed = [
        StepSpec(key, step.title, step.function, step.arguments, (*step.depends_on, *after), machine.name)
        for step in _claim(before.cluster, [machine], key, before.account)
    ]
    before_clone = [step.key for step in claimed] or after
    return [*claimed, *_add(machine, before, before_clone=before_clone, before_power_on=[])]


def _remove(machine: Machine, *, after: Sequence[str]) -> list[StepSpec]:
    left = f"{machine.name}/out-of-cluster"
    title, function = "Take the node out of the cluster", "membership.ensure_node_removed"
    return [step_spec(left, title, function, after, machine), *machine_removal(machine, after=[left])]


def _ids(machines: Iterable[Machine]) -> list[str]:
    return [str(machine.id) for machine in machines]
