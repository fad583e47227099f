"""The packs of a cluster as Cluster Details shows them, its profiles, and newer versions of those."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

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


@dataclass(frozen=True)
class ShownProfile:
    """One of the cluster's profiles: its version there, and the newest published one if that is newer."""

    version: ProfileVersion
    newer: ProfileVersion | None
    is_own: bool

    @property
    def button_id(self) -> str:
        return "review-update" if self.is_own else f"review-update-{self.version.profile_id}"


def profiles_of(cluster: Cluster) -> list[ShownProfile]:
    """The cluster's own, then its add-ons in their order. Two queries, no news for one that leaves."""
    add_ons = cluster.add_ons.select_related("version__profile")
    own = [cluster.profile_version] if cluster.profile_version else []
    versions = [*own, *(add_on.version for add_on in add_ons)]
    newest = {} if cluster.state in LEAVING else _newest_of(versions)
    return [
        ShownProfile(
            version=version,
            newer=found if found and found.rank > version.rank else None,
            is_own=version is cluster.profile_version,
        )
        for version in versions
        for found in (newest.get(version.profile_id),)
    ]


def _newest_of(versions: Sequence[ProfileVersion]) -> dict[UUID, ProfileVersion]:
    """By profile."""
    published = ProfileVersion.objects.filter(profile__in=[version.profile_id for version in versions])
    rows = published.exclude(published_at=None).order_by("profile_id", "-rank").distinct("profile_id")
    return {row.profile_id: row for row in rows.select_related("profile")}


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
