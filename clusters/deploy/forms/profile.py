from collections.abc import Mapping
from typing import Any, Self

from django import forms
from django.http import QueryDict

from clusters.deploy.add_ons import AddOns, sent_add_ons
from clusters.deploy.cards import profile_cards
from clusters.deploy.drafts import PARAMETERS, PROFILE, page_values
from clusters.deploy.forms.wizard_form import WizardForm
from clusters.models import DeployDraft
from clusters.profiles.models import ProfileVersion
from clusters.profiles.packs import NoSuchPack, find_pack

_REOPENED = "The {what} changed. Values of packs in {them} were kept: look them over."


class ProfileForm(WizardForm):
    """The cluster's own profile as one field; add-on profiles are as many as one likes."""

    page = PROFILE

    version = forms.ChoiceField(label="Cluster Profile", widget=forms.RadioSelect)

    def __init__(
        self, data: QueryDict | None = None, *, draft: DeployDraft, initial: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial=dict(initial or {}))
        cards = profile_cards(draft.project)
        self.cards = [card for card in cards if not card.is_add_on]
        self.versions = {str(version.pk): version for card in self.cards for version in card.versions}
        ids = self.initial.get("add_ons", []) if data is None else sent_add_ons(data)
        self.add_ons = AddOns([card for card in cards if card.is_add_on], ids)
        self.add_ons_problem = ""
        self._offer_versions()

    def _offer_versions(self) -> None:
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

    @classmethod
    def redraw(cls, draft: DeployDraft, data: QueryDict) -> Self:
        """After an add-on profile was attached, detached or moved."""
        return cls(draft=draft, initial=cls.typed(draft, data))

    @classmethod
    def typed(cls, draft: DeployDraft, data: QueryDict) -> dict[str, Any]:
        return {**super().typed(draft, data), "add_ons": sent_add_ons(data)}

    def clean_version(self) -> str:
        chosen: str = self.cleaned_data["version"]
        for layer in self.versions[chosen].layers.all():
            try:
                find_pack(layer.pack, layer.pack_version)
            except NoSuchPack as error:
                raise forms.ValidationError(f"{error} Select another version.") from error
        return chosen

    def clean(self) -> dict[str, Any]:
        own = self.versions.get(self.cleaned_data.get("version", ""))
        self.add_ons_problem = self.add_ons.problem(own)
        if self.add_ons_problem:
            self.add_error(None, self.add_ons_problem)
        return self.cleaned_data

    @property
    def chosen(self) -> str:
        return str(self["version"].value() or "")

    def values(self) -> dict[str, Any]:
        return {
            "version": str(self._version.pk),
            **_names(self._version),
            "add_ons": self.add_ons.ids,
            "add_on_names": [_names(version) for version in self.add_ons.versions],
        }

    def columns(self) -> dict[str, Any]:
        return {"profile_version": self._version}

    @property
    def _version(self) -> ProfileVersion:
        return self.versions[self.cleaned_data["version"]]

    def reopens(self, draft: DeployDraft) -> Mapping[str, str]:
        before = page_values(draft, PROFILE)
        if before.get("version") not in (None, str(self._version.pk)):
            return {PARAMETERS: _REOPENED.format(what="cluster profile", them="it")}
        if set(before.get("add_ons", [])) != set(self.add_ons.ids):
            return {PARAMETERS: _REOPENED.format(what="add-on profiles", them="them")}
        return {}


def _names(version: ProfileVersion) -> dict[str, str]:
    return {
        "profile": version.profile.name,
        "version_name": version.version,
        "scope": version.profile.scope,
    }
