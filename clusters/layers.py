"""The packs of a cluster as Cluster Details shows them, its profiles, and newer versions of those."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import OuterRef, Subquery

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
    """One of the cluster's profiles: its version there, and the newest published one's if that is newer."""

    version: ProfileVersion
    newer: str
    is_own: bool

    @property
    def button_id(self) -> str:
        return "review-update" if self.is_own else f"review-update-{self.version.profile_id}"


@dataclass(frozen=True)
class ShownStack:
    """The cluster's own profile, then its add-on profiles in their order, and the layers of all of them."""

    profiles: list[ShownProfile]
    layers: list[ClusterLayer]


def stack_of(cluster: Cluster) -> ShownStack:
    """Three queries; afterwards cluster and layers know their versions and profiles."""
    add_ons, layers = list(cluster.add_ons.all()), list(cluster.layers.all())
    wanted = [cluster.profile_version_id, *(add_on.version_id for add_on in add_ons)]
    ids = [version_id for version_id in wanted if version_id is not None]
    found = _versions(ids)
    if cluster.profile_version_id is not None:
        cluster.profile_version = found[cluster.profile_version_id]
    for add_on in add_ons:
        add_on.version = found[add_on.version_id]
    by_id = {add_on.pk: add_on for add_on in add_ons}
    for layer in layers:
        layer.add_on = by_id.get(layer.add_on_id) if layer.add_on_id else None
    return ShownStack([_shown_profile(cluster, found[version_id]) for version_id in ids], layers)


def _shown_profile(cluster: Cluster, version: ProfileVersion) -> ShownProfile:
    """Nothing newer for one that leaves."""
    newer = "" if cluster.state in LEAVING else getattr(version, "newer", None) or ""
    return ShownProfile(version, newer, is_own=version.pk == cluster.profile_version_id)


def _versions(ids: Sequence[UUID]) -> Mapping[UUID, ProfileVersion]:
    """With `newer`: the newest published version of the profile if it is newer than this one."""
    later = ProfileVersion.objects.filter(profile=OuterRef("profile"), rank__gt=OuterRef("rank"))
    newest = later.exclude(published_at=None).order_by("-rank").values("version")[:1]
    versions = ProfileVersion.objects.select_related("profile").annotate(newer=Subquery(newest))
    return versions.in_bulk(ids)


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
