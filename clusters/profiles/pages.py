"""What the pages of profiles show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.paginator import Page
from django.db.models import Count, F, Prefetch

from clusters.models import Cluster, ClusterQuerySet
from clusters.profiles.checks import INFRASTRUCTURE_KINDS, KINDS, Finding, findings_on
from clusters.profiles.models import ClusterProfile, LayerKind, ProfileLayer, ProfileType, ProfileVersion
from clusters.profiles.packs import NoSuchPack, PackVersion, find_pack, load_catalog
from clusters.profiles.values import variables_used
from clusters.profiles.variables import Variable, read_variables
from palette_portal.tenants.models import User


@dataclass
class ListRow:
    profile: ClusterProfile
    newest: ProfileVersion
    parts: list[str]
    clusters: int

    @property
    def state(self) -> str:
        return state_of(self.newest)


@dataclass
class LayerCard:
    kind: LayerKind
    layer: ProfileLayer | None = None
    pack: PackVersion | None = None
    description: str = ""
    findings: Sequence[Finding] = ()
    variables: Sequence[str] = ()

    @property
    def is_changed(self) -> bool:
        """Whether the values are not simply the pack's."""
        if self.layer is None or self.pack is None:
            return False
        return bool(self.layer.values) and self.layer.values != self.pack.default_values


def state_of(version: ProfileVersion) -> str:
    return "Published" if version.is_published else "Draft"


def list_rows(page: Page[ClusterProfile]) -> list[ListRow]:
    profiles = list(page)
    newest = _newest_versions(profiles)
    clusters = _cluster_counts(profiles)
    return [
        ListRow(
            profile,
            newest[profile.pk],
            [_title(layer) for layer in newest[profile.pk].layers.all()],
            clusters.get(profile.pk, 0),
        )
        for profile in profiles
        if profile.pk in newest
    ]


def detail_context(version: ProfileVersion, user: User) -> dict[str, Any]:
    layers = list(version.layers.all())
    variables = read_variables(version.variables)
    findings = findings_on(version.profile.type, layers, variables)
    versions = list(version.profile.versions.order_by("-rank"))
    using = clusters_with(version.profile).present()
    visible = using.visible_to(user).select_related("project").order_by("name")
    shown = list(visible[:50])
    return {
        "version": version,
        "profile": version.profile,
        "state": state_of(version),
        "cards": _cards(version, layers, findings),
        "may_add": _may_add(version, layers),
        "variables": [(variable, _users_of(variable, layers)) for variable in variables],
        "findings": [finding for finding in findings if not finding.pack],
        "errors": [finding for finding in findings if not finding.is_warning],
        "all_findings": findings,
        "versions": [(found, state_of(found)) for found in versions],
        "older": next((found for found in versions if found.rank < version.rank), None),
        "clusters": shown,
        "hidden": using.count() - len(shown),
    }


def _newest_versions(profiles: Iterable[ClusterProfile]) -> dict[UUID, ProfileVersion]:
    versions = ProfileVersion.objects.filter(profile__in=profiles).order_by("profile_id", "-rank")
    layers = Prefetch("layers", ProfileLayer.objects.defer("values"))
    chosen = versions.distinct("profile_id").prefetch_related(layers)
    return {version.profile_id: version for version in chosen}


def clusters_with(profile: ClusterProfile) -> ClusterQuerySet:
    """Those made of it or with it attached; each knows its `used_version`."""
    if profile.type == ProfileType.ADD_ON:
        using = Cluster.objects.filter(add_ons__profile=profile)
        return using.annotate(used_version=F("add_ons__version__version"))
    using = Cluster.objects.filter(profile_version__profile=profile)
    return using.annotate(used_version=F("profile_version__version"))


def _cluster_counts(profiles: Iterable[ClusterProfile]) -> dict[UUID, int]:
    """A profile is either a cluster's own or an add-on profile, never both."""
    present = Cluster.objects.present().order_by()
    counts: dict[UUID, int] = {}
    for path in ("profile_version__profile", "add_ons__profile"):
        using = present.filter(**{f"{path}__in": profiles})
        counts |= dict(using.values_list(path).annotate(Count("pk")))
    return counts


def _cards(
    version: ProfileVersion, layers: Sequence[ProfileLayer], findings: Sequence[Finding]
) -> list[LayerCard]:
    """In the order in which a cluster is built; a needed layer that is not there has a card, too."""
    cards = [_card(layer, findings) for layer in layers]
    if version.profile.type != ProfileType.ADD_ON:
        there = {card.kind for card in cards}
        cards += [LayerCard(kind) for kind in INFRASTRUCTURE_KINDS if kind not in there]
    order = list(LayerKind)
    return sorted(cards, key=lambda card: order.index(card.kind))


def _card(layer: ProfileLayer, findings: Sequence[Finding]) -> LayerCard:
    found = load_catalog().find(layer.pack)
    try:
        pack: PackVersion | None = find_pack(layer.pack, layer.pack_version)
    except NoSuchPack:
        pack = None
    return LayerCard(
        LayerKind(layer.kind),
        layer,
        pack,
        found.description if found else "",
        [finding for finding in findings if finding.pack == layer.pack],
        sorted(variables_used(layer.values)),
    )


def _may_add(version: ProfileVersion, layers: Sequence[ProfileLayer]) -> bool:
    """Whether there is another add-on to put in."""
    if LayerKind.ADD_ON not in KINDS[ProfileType(version.profile.type)]:
        return False
    taken = {layer.pack for layer in layers}
    return any(pack.name not in taken for pack in load_catalog().of_kind(LayerKind.ADD_ON))


def _users_of(variable: Variable, layers: Sequence[ProfileLayer]) -> list[str]:
    return [_title(layer) for layer in layers if variable.name in variables_used(layer.values)]


def _title(layer: ProfileLayer) -> str:
    try:
        return str(find_pack(layer.pack, layer.pack_version))
    except NoSuchPack:
        return str(layer)
