"""What a cluster and a machine can become."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.db import models

from palette_portal.http import Conflict
from palette_portal.orchestration.transitions import Transitions, move

if TYPE_CHECKING:
    from clusters.models import Cluster, Machine


class ClusterState(models.TextChoices):
    PENDING = "Pending"
    PROVISIONING = "Provisioning"
    RUNNING = "Running"
    DELETING = "Deleting"
    DELETED = "Deleted"


class ClusterHealth(models.TextChoices):
    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    UNKNOWN = "Unknown"


class MachineState(models.TextChoices):
    PENDING = "Pending"
    PROVISIONING = "Provisioning"
    PROVISIONED = "Provisioned"
    RUNNING = "Running"
    DELETING = "Deleting"
    DELETED = "Deleted"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


# Nothing is made for such a cluster any more.
LEAVING = (ClusterState.DELETING, ClusterState.DELETED)

CLUSTER_TRANSITIONS: Transitions = {
    ClusterState.PENDING: frozenset({ClusterState.PROVISIONING, ClusterState.DELETING}),
    ClusterState.PROVISIONING: frozenset({ClusterState.RUNNING, ClusterState.DELETING}),
    ClusterState.RUNNING: frozenset({ClusterState.DELETING}),
    ClusterState.DELETING: frozenset({ClusterState.DELETED}),
    ClusterState.DELETED: frozenset(),
}

_MACHINE_LEAVES = frozenset({MachineState.DELETING, MachineState.FAILED, MachineState.UNKNOWN})

MACHINE_TRANSITIONS: Transitions = {
    MachineState.PENDING: frozenset({MachineState.PROVISIONING}) | _MACHINE_LEAVES,
    MachineState.PROVISIONING: frozenset({MachineState.PROVISIONED}) | _MACHINE_LEAVES,
    MachineState.PROVISIONED: frozenset({MachineState.RUNNING}) | _MACHINE_LEAVES,
    MachineState.RUNNING: _MACHINE_LEAVES,
    MachineState.FAILED: frozenset({MachineState.PROVISIONED, MachineState.RUNNING, MachineState.DELETING}),
    MachineState.UNKNOWN: frozenset({MachineState.RUNNING, MachineState.DELETING}),
    MachineState.DELETING: frozenset({MachineState.DELETED}),
    MachineState.DELETED: frozenset(),
}


def move_cluster(cluster: "Cluster", new_state: ClusterState, **changes: Any) -> None:
    move(cluster, CLUSTER_TRANSITIONS, new_state, **changes)


def move_machine(machine: "Machine", new_state: MachineState, **changes: Any) -> None:
    move(machine, MACHINE_TRANSITIONS, new_state, **changes)


def check_changeable(cluster: "Cluster") -> None:
    """Raise Conflict with the reason unless nodes can be added, replaced and removed now."""
    if cluster.state != ClusterState.RUNNING:
        raise Conflict(f"The cluster is {cluster.state}: only a Running cluster can be changed.")


def check_cluster_deletable(cluster: "Cluster") -> None:
    """Raise Conflict with the reason unless the cluster was provisioned and is not being removed."""
    if cluster.state in (ClusterState.PENDING, ClusterState.PROVISIONING):
        raise Conflict("The cluster is still being provisioned: abort it.")
    _check_not_leaving(cluster)


def check_abortable(cluster: "Cluster") -> None:
    """Raise Conflict with the reason unless there is a provisioning to take back."""
    if cluster.state == ClusterState.RUNNING:
        raise Conflict("The cluster is provisioned: delete it.")
    _check_not_leaving(cluster)


def _check_not_leaving(cluster: "Cluster") -> None:
    if cluster.state == ClusterState.DELETING:
        raise Conflict("The cluster is being deleted already.")
    if cluster.state == ClusterState.DELETED:
        raise Conflict("The cluster is deleted already.")


def why_not(check: "Callable[[Cluster], None]", cluster: "Cluster") -> str:
    """What `check` raises, empty if it does not."""
    try:
        check(cluster)
    except Conflict as conflict:
        return conflict.reason
    return ""
