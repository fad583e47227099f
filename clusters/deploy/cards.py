"""The profiles that can be chosen for a cluster, with their published versions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import Prefetch

from clusters.profiles.models import ClusterProfile, ProfileType, ProfileVersion
from palette_portal.tenants.models import Project


@dataclass(frozen=True)
class Card:
    """A profile with its published versions, the newest first."""

    profile: ClusterProfile
    versions: Sequence[ProfileVersion]

    @property
    def is_add_on(self) -> bool:
        return self.profile.type == ProfileType.ADD_ON

    @property
    def newest(self) -> ProfileVersion:
        return self.versions[0]

    @property
    def older(self) -> Sequence[ProfileVersion]:
        return self.versions[1:]

    def since(self, rank: int) -> "Card":
        """Without versions before that one."""
        return replace(self, versions=[version for version in self.versions if version.rank >= rank])


def profile_cards(project: Project) -> list[Card]:
    """What a cluster of the project can be made of."""
    published = ProfileVersion.objects.filter(published_at__isnull=False).prefetch_related("layers")
    profiles = (
        ClusterProfile.objects.usable_in(project)
        .select_related("project")
        .prefetch_related(Prefetch("versions", published.order_by("-rank"), to_attr="published"))
    )
    cards = (Card(profile, getattr(profile, "published", ())) for profile in profiles)
    return [card for card in cards if card.versions]
