"""The conditions of a cluster by Palette's type names, told from steps and facts. It asks no database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from clusters.layers import ShownPack
from clusters.models import Cluster, PoolRole
from clusters.profiles.models import LayerKind
from clusters.states import LEAVING, ClusterHealth, ClusterState
from palette_portal.orchestration.progress import Progress, ShownStep

# Nothing goes on any more, although it is not so.
_ENDED = ("Cancelled", ClusterState.DELETED)


@dataclass(frozen=True)
class Condition:
    """`status` is "True", "False" or "Unknown" as in Kubernetes; `is_failed` when somebody should look."""

    type: str
    status: str
    reason: str
    message: str = ""
    at: datetime | None = None
    is_failed: bool = False

    @property
    def tone(self) -> str:
        if self.is_failed:
            return "bad"
        if self.reason in _ENDED:
            return "mute"
        return {"True": "ok", "False": "info"}.get(self.status, "mute")


_IMAGE = ("images.", "preparation.ensure_image")
_INFRASTRUCTURE = (
    "preparation.ensure_account_valid",
    "preparation.ensure_placement_valid",
    "preparation.ensure_addresses_claimed",
)
_FORCED = "forced."
_ADDITION = ("machines.", "nodes.ensure_machine_", "nodes.ensure_control_plane_up")
_DELETION = ("membership.ensure_node_removed", "removal.", _FORCED)
_STEPS = "clusters.steps."

# Whether steps of a function, for a machine of a role, are among those that make a condition true.
_Belongs = Callable[[str, str], bool]


def _by(*beginnings: str, role: str = "") -> _Belongs:
    """`role` picks the steps of machines in pools of that role."""

    @lru_cache(maxsize=1024)
    def belongs(function: str, role_of_group: str) -> bool:
        function = function.removeprefix(_STEPS)
        return function.startswith(beginnings) and (not role or role == role_of_group)

    return belongs


# Type, and reason once it is so.
_TYPES: tuple[tuple[str, str, _Belongs], ...] = (
    ("ImageResolutionDone", "ImageResolved", _by(*_IMAGE)),
    ("CloudInfrastructureReady", "InfrastructureReady", _by(*_INFRASTRUCTURE)),
    ("KubeConfigReady", "KubeConfigReady", _by("preparation.ensure_pki_generated")),
    ("BootstrappingDone", "Bootstrapped", _by("nodes.ensure_control_plane_up")),
    ("ControlPlaneNodeAdditionDone", "NodesAdded", _by(*_ADDITION, role=PoolRole.CONTROL_PLANE)),
    ("ControlPlaneNodeDeletionDone", "NodesDeleted", _by(*_DELETION, role=PoolRole.CONTROL_PLANE)),
    ("WorkerNodeAdditionDone", "NodesAdded", _by(*_ADDITION, role=PoolRole.WORKER)),
    ("WorkerNodeDeletionDone", "NodesDeleted", _by(*_DELETION, role=PoolRole.WORKER)),
)
_DELETIONS = ("ControlPlaneNodeDeletionDone", "WorkerNodeDeletionDone")


def conditions_of(
    cluster: Cluster,
    progress: Progress | None,
    *,
    roles: Mapping[str, str],
    packs: Sequence[ShownPack] = (),
) -> list[Condition]:
    """`roles` are those of the machines' pools by the machines' names, also of machines that are gone.

    Of a cluster that leaves only its leaving is told: what was made for it is being taken away.
    """
    steps = progress.steps if progress else ()

    def steps_of(belongs: _Belongs) -> list[ShownStep]:
        return [shown for shown in steps if belongs(shown.step.function, roles.get(shown.step.group, ""))]

    told = [
        _from_steps(cluster, type_, reason, steps_of(belongs))
        for type_, reason, belongs in _TYPES
        if cluster.state not in LEAVING or type_ in _DELETIONS
    ]
    if cluster.state in LEAVING:
        return [*told, _ready(cluster)]
    add_ons = [pack for pack in packs if pack.layer.kind == LayerKind.ADD_ON]
    return [*told, *([_add_ons(cluster, add_ons)] if add_ons else []), _ready(cluster)]


def _from_steps(cluster: Cluster, type_: str, reason: str, steps: Sequence[ShownStep]) -> Condition:
    if not steps:
        return _without_steps(cluster, type_, reason)
    looks = [shown.look for shown in steps]
    if "retrying" in looks:
        step = steps[looks.index("retrying")].step
        return Condition(type_, "False", step.reason or "Failed", step.message, step.started_at, True)
    if set(looks) == {"done"}:
        if any(shown.step.function.startswith(_STEPS + _FORCED) for shown in steps):
            return Condition(type_, "Unknown", "Forced", _FORCED_SENTENCE)
        at = max((shown.step.finished_at for shown in steps if shown.step.finished_at), default=None)
        return Condition(type_, "True", reason, at=at)
    if "active" in looks:
        step = steps[looks.index("active")].step
        return Condition(type_, "False", step.reason or "InProgress", step.message, step.first_started_at)
    if set(looks) == {"waiting"}:
        return Condition(type_, "Unknown", "NotStarted")
    return Condition(type_, "False", "Cancelled" if "cancelled" in looks else "InProgress")


_FORCED_SENTENCE = "It was tried once more. What remains on vCenter, if anything, is listed."


def _without_steps(cluster: Cluster, type_: str, reason: str) -> Condition:
    """The operation at hand does nothing of the kind: it was so since the cluster ran, or never began."""
    if type_ in _DELETIONS:
        return Condition(type_, "True", "NothingToDelete")
    if cluster.running_at:
        return Condition(type_, "True", reason, at=cluster.running_at)
    return Condition(type_, "Unknown", "NotStarted")


def _add_ons(cluster: Cluster, packs: Sequence[ShownPack]) -> Condition:
    waiting = [pack.layer.pack for pack in packs if pack.word != "Applied"]
    if waiting:
        failed = any(pack.word == "Failed" for pack in packs)
        message = f"Waiting for {', '.join(waiting)}."
        return Condition("AddOnDeploymentDone", "False", "InProgress", message, is_failed=failed)
    at = max((pack.layer.applied_at for pack in packs if pack.layer.applied_at), default=cluster.running_at)
    return Condition("AddOnDeploymentDone", "True", "AddOnsDeployed", at=at)


def _ready(cluster: Cluster) -> Condition:
    if cluster.state != ClusterState.RUNNING:
        return Condition("Ready", "False", str(cluster.state), at=cluster.deleted_at)
    if cluster.health == ClusterHealth.UNHEALTHY:
        message = " ".join(cluster.health_problems)
        return Condition("Ready", "False", "Unhealthy", message, is_failed=True)
    if cluster.health == ClusterHealth.HEALTHY:
        return Condition("Ready", "True", "Healthy", at=cluster.running_at)
    return Condition("Ready", "Unknown", "HealthUnknown")
