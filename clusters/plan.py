"""The steps of an operation on a cluster, and what each of them waits for."""

from collections.abc import Iterable, Sequence
from itertools import chain

from clusters.models import AddressAllocation, Cluster, Machine, PoolRole
from palette_portal.orchestration.steps import StepSpec

ACCOUNT_VALID = "account-valid"
PLACEMENT_VALID = "placement-valid"
ADDRESSES_CLAIMED = "addresses-claimed"
IMAGE_FOUND = "image-found"
PKI_GENERATED = "pki-generated"
NODES_READY = "nodes-ready"
CLUSTER_RUNNING = "cluster-running"


def provision_plan(
    cluster: Cluster, machines: Sequence[Machine], *, extra_steps: Sequence[StepSpec] = ()
) -> list[StepSpec]:
    """Machines are built side by side; control plane nodes join one at a time, workers all together.

    `extra_steps` come before the cluster is Running, which waits for them.
    """
    ordered = sorted(machines, key=lambda machine: (machine.pool.role, machine.index))
    masters = [machine for machine in ordered if machine.pool.role == PoolRole.CONTROL_PLANE]
    workers = [machine for machine in ordered if machine.pool.role == PoolRole.WORKER]
    joins: list[tuple[Machine, Machine | None]] = list(zip(masters, [None, *masters], strict=False))
    joins += [(worker, masters[0]) for worker in workers]
    return [
        *_preparation(cluster),
        *chain.from_iterable(_machine(cluster, machine, after=after) for machine, after in joins),
        *_completion(ordered, extra_steps),
    ]


def _preparation(cluster: Cluster) -> list[StepSpec]:
    static = cluster.address_allocation == AddressAllocation.STATIC
    claim = _step(
        ADDRESSES_CLAIMED, "Claim IP addresses", "preparation.ensure_addresses_claimed", [ACCOUNT_VALID]
    )
    return [
        _step(ACCOUNT_VALID, "Validate cloud account", "preparation.ensure_account_valid"),
        _step(PLACEMENT_VALID, "Check placement", "preparation.ensure_placement_valid", [ACCOUNT_VALID]),
        *([claim] if static else []),
        _step(IMAGE_FOUND, "Find image template", "preparation.ensure_image_template_found", [ACCOUNT_VALID]),
        _step(
            PKI_GENERATED,
            "Generate certificates",
            "preparation.ensure_pki_generated",
            [ADDRESSES_CLAIMED] if static else [],
        ),
    ]


def _machine(cluster: Cluster, machine: Machine, *, after: Machine | None) -> list[StepSpec]:
    """`after` is the machine whose node must be in the cluster before this one is powered on."""
    static = cluster.address_allocation == AddressAllocation.STATIC
    before_clone = [PLACEMENT_VALID, IMAGE_FOUND, *([ADDRESSES_CLAIMED] if static else [])]
    earlier = [in_cluster_key(after)] if after else []
    cloned, configured, powered, address, blanked = (
        f"{machine.name}/{word}" for word in ("cloned", "configured", "powered-on", "address", "blanked")
    )
    enter = "nodes.ensure_machine_joined" if after else "nodes.ensure_control_plane_up"
    return [
        _step(cloned, "Clone virtual machine", "machines.ensure_machine_cloned", before_clone, machine),
        _step(
            configured,
            "Configure virtual machine",
            "machines.ensure_machine_configured",
            [cloned, PKI_GENERATED],
            machine,
        ),
        _step(powered, "Power on", "machines.ensure_machine_powered_on", [configured, *earlier], machine),
        _step(address, "Wait for IP address", "machines.wait_for_guest_address", [powered], machine),
        _step(
            in_cluster_key(machine),
            "Join the cluster" if after else "Start control plane",
            enter,
            [address],
            machine,
        ),
        _step(
            blanked,
            "Remove secrets from vCenter",
            "machines.ensure_guestinfo_blanked",
            [NODES_READY],
            machine,
        ),
    ]


def in_cluster_key(machine: Machine) -> str:
    return f"{machine.name}/in-cluster"


def _completion(machines: Sequence[Machine], extra_steps: Sequence[StepSpec]) -> list[StepSpec]:
    every_node = [in_cluster_key(machine) for machine in machines]
    return [
        _step(NODES_READY, "Wait for nodes to be ready", "nodes.ensure_nodes_ready", every_node),
        *extra_steps,
        _step(
            CLUSTER_RUNNING,
            "Finish",
            "nodes.ensure_cluster_running",
            [NODES_READY, *(step.key for step in extra_steps)],
        ),
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
