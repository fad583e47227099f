"""The steps of an operation on a cluster, and what each of them waits for."""

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import Any

from clusters.models import AddressAllocation, Cluster, Machine, PoolRole
from palette_portal.orchestration.steps import StepSpec

ACCOUNT_VALID = "account-valid"
PLACEMENT_VALID = "placement-valid"
ADDRESSES_CLAIMED = "addresses-claimed"
IMAGE_FOUND = "image-found"
FOLDER_MADE = "folder-made"
PKI_GENERATED = "pki-generated"
NODES_READY = "nodes-ready"
CLUSTER_RUNNING = "cluster-running"

# When workers are short: vCenter gets its longest work first, what leads to it comes next, and masters come
# before the nodes that wait for them. No other step waits longer for these than that.
_FIRST_SECONDS, _NEXT_SECONDS = 60, 30
_CLONE = "machines.ensure_machine_cloned"
_LEADING_TO_CLONES = {
    "preparation.ensure_account_valid",
    "preparation.ensure_placement_valid",
    "preparation.ensure_addresses_claimed",
    "folders.ensure_own_folder",
    "images.ensure_image_template_found",
}
_LEADING_TO_A_NODE = {
    "machines.ensure_machine_configured",
    "machines.ensure_machine_powered_on",
    "machines.wait_for_guest_address",
    "nodes.ensure_control_plane_up",
    "nodes.ensure_machine_joined",
}


def provision_plan(
    cluster: Cluster, machines: Sequence[Machine], *, extra_steps: Sequence[StepSpec] = ()
) -> list[StepSpec]:
    """Machines are cloned side by side; control plane nodes join one at a time, workers all together.

    `extra_steps` come before the cluster is Running, which waits for them.
    """
    ordered = sorted(machines, key=lambda machine: (machine.pool.role, machine.index))
    masters = [machine for machine in ordered if machine.pool.role == PoolRole.CONTROL_PLANE]
    workers = [machine for machine in ordered if machine.pool.role == PoolRole.WORKER]
    first = masters[0]
    # The longest chain goes first: what is done for other machines waits until the next master boots.
    configure = [powered_on_key(first)]
    power_on = [in_cluster_key(first), *(powered_on_key(second) for second in masters[1:2])]
    return [
        *_preparation(cluster),
        *_machine(cluster, first),
        *chain.from_iterable(
            _machine(cluster, machine, before_configuring=configure, before_power_on=[in_cluster_key(before)])
            for before, machine in pairwise(masters)
        ),
        *chain.from_iterable(
            _machine(cluster, machine, before_configuring=configure, before_power_on=power_on)
            for machine in workers
        ),
        *_completion(ordered, extra_steps),
    ]


def _preparation(cluster: Cluster) -> list[StepSpec]:
    static = cluster.address_allocation == AddressAllocation.STATIC
    claim = step_spec(
        ADDRESSES_CLAIMED, "Claim IP addresses", "preparation.ensure_addresses_claimed", [ACCOUNT_VALID]
    )
    folder = step_spec(FOLDER_MADE, "Make folder", "folders.ensure_own_folder", [ACCOUNT_VALID])
    return [
        step_spec(ACCOUNT_VALID, "Validate cloud account", "preparation.ensure_account_valid"),
        step_spec(PLACEMENT_VALID, "Check placement", "preparation.ensure_placement_valid", [ACCOUNT_VALID]),
        *([claim] if static else []),
        *([folder] if cluster.has_own_folder else []),
        step_spec(
            IMAGE_FOUND, "Provide image template", "images.ensure_image_template_found", [ACCOUNT_VALID]
        ),
        step_spec(
            PKI_GENERATED,
            "Generate certificates",
            "preparation.ensure_pki_generated",
            [ADDRESSES_CLAIMED] if static else [],
        ),
    ]


def _machine(
    cluster: Cluster,
    machine: Machine,
    *,
    before_configuring: Sequence[str] = (),
    before_power_on: Sequence[str] = (),
) -> list[StepSpec]:
    static = cluster.address_allocation == AddressAllocation.STATIC
    return machine_steps(
        machine,
        before_clone=[
            PLACEMENT_VALID,
            IMAGE_FOUND,
            *([FOLDER_MADE] if cluster.has_own_folder else []),
            *([ADDRESSES_CLAIMED] if static else []),
        ],
        before_configuring=[PKI_GENERATED, *before_configuring],
        before_power_on=before_power_on,
        before_blanking=[NODES_READY],
        begins_cluster=not before_power_on,
    )


def machine_steps(
    machine: Machine,
    *,
    before_clone: Sequence[str],
    before_configuring: Sequence[str],
    before_power_on: Sequence[str],
    before_blanking: Sequence[str],
    begins_cluster: bool = False,
) -> list[StepSpec]:
    """From nothing to a node of the cluster."""
    cloned, configured, address, blanked = (
        f"{machine.name}/{word}" for word in ("cloned", "configured", "address", "blanked")
    )
    powered = powered_on_key(machine)
    enter = "nodes.ensure_control_plane_up" if begins_cluster else "nodes.ensure_machine_joined"
    return [
        step_spec(cloned, "Clone virtual machine", _CLONE, before_clone, machine),
        step_spec(
            configured,
            "Configure virtual machine",
            "machines.ensure_machine_configured",
            [cloned, *before_configuring],
            machine,
        ),
        *_tagging(machine, cloned),
        step_spec(
            powered,
            "Power on",
            "machines.ensure_machine_powered_on",
            [configured, *before_power_on],
            machine,
        ),
        step_spec(address, "Wait for IP address", "machines.wait_for_guest_address", [powered], machine),
        step_spec(
            in_cluster_key(machine),
            "Start control plane" if begins_cluster else "Join the cluster",
            enter,
            [address],
            machine,
        ),
        step_spec(
            blanked,
            "Remove secrets from vCenter",
            "machines.ensure_guestinfo_blanked",
            before_blanking,
            machine,
        ),
    ]


def _tagging(machine: Machine, cloned: str) -> list[StepSpec]:
    """Nothing waits for it."""
    if not machine.cluster.tags:
        return []
    key = f"{machine.name}/tagged"
    return [step_spec(key, "Tag virtual machine", "tags.ensure_machine_tagged", [cloned], machine)]


def powered_on_key(machine: Machine) -> str:
    return f"{machine.name}/powered-on"


def in_cluster_key(machine: Machine) -> str:
    return f"{machine.name}/in-cluster"


def _completion(machines: Sequence[Machine], extra_steps: Sequence[StepSpec]) -> list[StepSpec]:
    every_node = [in_cluster_key(machine) for machine in machines]
    return [
        step_spec(NODES_READY, "Wait for nodes to be ready", "nodes.ensure_nodes_ready", every_node),
        *extra_steps,
        step_spec(
            CLUSTER_RUNNING,
            "Finish",
            "nodes.ensure_cluster_running",
            [NODES_READY, *(step.key for step in extra_steps)],
        ),
    ]


def step_spec(
    key: str,
    title: str,
    function: str,
    depends_on: Iterable[str] = (),
    machine: Machine | None = None,
    **arguments: Any,
) -> StepSpec:
    """One of clusters.steps, about the machine if one is given."""
    return StepSpec(
        key=key,
        title=title,
        function=f"clusters.steps.{function}",
        arguments={"machine": str(machine.id), **arguments} if machine else arguments,
        depends_on=tuple(depends_on),
        group=machine.name if machine else "",
        head_start_seconds=_head_start(function, machine),
    )


def _head_start(function: str, machine: Machine | None) -> int:
    if function in _LEADING_TO_CLONES:
        return _NEXT_SECONDS
    is_first = function == _CLONE or (
        function in _LEADING_TO_A_NODE and machine is not None and machine.pool.role == PoolRole.CONTROL_PLANE
    )
    return _FIRST_SECONDS if is_first else 0
