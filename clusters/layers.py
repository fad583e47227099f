"""The packs of a cluster as Cluster Details shows them, and the newer version of its profile."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clusters.models import Cluster, ClusterLayer, Machine
from clusters.phases import FAILED, has_reached
from clusters.profiles.models import LayerKind, ProfileVersion
from clusters.states import LEAVING, ClusterState

_BUILT_IN = (LayerKind.OS, LayerKind.KUBERNETES)


@dataclass(frozen=True)
class ShownPack:
    layer: ClusterLayer
    # "Applied", "Applying", "Waiting" or "Failed"; at the end "Not finished" or "Was applied".
    word: str

    @property
    def tone(self) -> str:
        return {"Applied": "ok", "Applying": "info", "Failed": "bad"}.get(self.word, "mute")


def packs_of(
    cluster: Cluster, layers: Sequence[ClusterLayer], machines: Iterable[Machine]
) -> list[ShownPack]:
    machines = list(machines)
    return [ShownPack(layer, _word(cluster, layer, layers, machines)) for layer in layers]


def newer_version_of(cluster: Cluster) -> ProfileVersion | None:
    """The newest published version of the cluster's profile, if it is newer than the cluster's."""
    version = cluster.profile_version
    if version is None:
        return None
    newer = ProfileVersion.objects.filter(profile_id=version.profile_id, rank__gt=version.rank)
    return newer.exclude(published_at=None).order_by("-rank").first()


def _word(
    cluster: Cluster, layer: ClusterLayer, layers: Sequence[ClusterLayer], machines: Sequence[Machine]
) -> str:
    was_applied = bool(layer.applied_at) or _came_with_the_cluster(cluster, layers)
    if cluster.state in LEAVING and not was_applied:
        return "Not finished"
    if was_applied:
        return "Was applied" if cluster.state == ClusterState.DELETED else "Applied"
    if any(machine.phase == FAILED for machine in machines):
        return "Failed"
    first = next((machine for machine in machines if machine.is_first), None)
    if first is None:
        return "Applying" if cluster.running_at else "Waiting"
    if has_reached(first, "packs-applied") and not cluster.running_at:
        return "Applied"
    needed = "booted" if layer.kind in _BUILT_IN else "control-plane-ready"
    return "Applying" if cluster.running_at or has_reached(first, needed) else "Waiting"


def _came_with_the_cluster(cluster: Cluster, layers: Sequence[ClusterLayer]) -> bool:
    """It runs, and no pack was changed since: then each was there when it began to run."""
    return cluster.running_at is not None and all(layer.applied_at is None for layer in layers)
