from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django import forms
from django.db.models import Prefetch
from django.http import QueryDict

from clusters.deploy.drafts import PARAMETERS, PROFILE, page_values
from clusters.deploy.forms.wizard_form import WizardForm
from clusters.models import DeployDraft
from clusters.profiles.models import ClusterProfile, ProfileType, ProfileVersion
from clusters.profiles.packs import NoSuchPack, find_pack
from palette_portal.tenants.models import Project


@dataclass(frozen=True)
class Card:
    """A profile with its published versions, the newest first."""

    profile: ClusterProfile
    versions: Sequence[ProfileVersion]

    @property
    def newest(self) -> ProfileVersion:
        return self.versions[0]

    @property
    def older(self) -> Sequence[ProfileVersion]:
        return self.versions[1:]


def profile_cards(project: Project) -> list[Card]:
    """What a cluster of the project can be built from: with an operating system and Kubernetes, published."""
    published = ProfileVersion.objects.filter(published_at__isnull=False).prefetch_related("layers")
    profiles = (
        ClusterProfile.objects.usable_in(project)
        .exclude(type=ProfileType.ADD_ON)
        .select_related("project")
        .prefetch_related(Prefetch("versions", published.order_by("-rank"), to_attr="published"))
    )
    cards = (Card(profile, getattr(profile, "published", ())) for profile in profiles)
    return [card for card in cards if card.versions]


class ProfileForm(WizardForm):
    page = PROFILE

    version = forms.ChoiceField(label="Cluster Profile", widget=forms.RadioSelect)

    def __init__(
        self, data: QueryDict | None = None, *, draft: DeployDraft, initial: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial=dict(initial or {}))
        self.cards = profile_cards(draft.project)
        self.versions = {str(version.pk): version for card in self.cards for version in card.versions}
        field = self.fields["version"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(key, str(version)) for key, version in self.versions.items()]
        field.error_messages |= {
            "required": "Select a cluster profile.",
            "invalid_choice": "This profile version cannot be used any more. Select another one.",
        }
        if not self.initial.get("version") and len(self.cards) == 1:
            self.initial["version"] = str(self.cards[0].newest.pk)

    @classmethod
    def open(cls, draft: DeployDraft, data: QueryDict | None = None) -> Self:
        return cls(data, draft=draft, initial=page_values(draft, PROFILE))

    def clean_version(self) -> str:
        chosen: str = self.cleaned_data["version"]
        for layer in self.versions[chosen].layers.all():
            try:
                find_pack(layer.pack, layer.pack_version)
            except NoSuchPack as error:
                raise forms.ValidationError(f"{error} Select another version.") from error
        return chosen

    @property
    def chosen(self) -> str:
        return str(self["version"].value() or "")

    def values(self) -> dict[str, Any]:
        version = self._version
        return {
            "version": str(version.pk),
            "profile": version.profile.name,
            "version_name": version.version,
            "scope": version.profile.scope,
        }

    def columns(self) -> dict[str, Any]:
        return {"profile_version": self._version}

    @property
    def _version(self) -> ProfileVersion:
        return self.versions[self.cleaned_data["version"]]

    def reopens(self, draft: DeployDraft) -> Mapping[str, str]:
        if page_values(draft, PROFILE).get("version") in (None, str(self._version.pk)):
            return {}
        return {PARAMETERS: "The cluster profile changed. Values of packs in it were kept: look them over."}
