"""What the update page starts from: a cluster's own changes, carried over to other versions of profiles."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django.http import QueryDict

from clusters.actions.requests import StackRequest
from clusters.deploy.add_ons import ROWS, AddOns, sent_add_ons
from clusters.deploy.cards import Card, profile_cards
from clusters.deploy.drafts import PARAMETERS, PROFILE, variables_of
from clusters.deploy.forms.parameters import TEXT, VARIABLE, ParametersForm
from clusters.deploy.layers import plain, variables_in
from clusters.deploy.request import stack_request
from clusters.models import Cluster, ClusterSecrets, DeployDraft
from clusters.profiles.diffs import text_of
from clusters.profiles.models import ProfileVersion
from clusters.profiles.stack import stacked
from palette_portal.http import Conflict

# Sent along with the add-on profiles: that there is none is an answer, too.
STACK = "stack"
# What the page showed before another version was chosen: the texts that it sends belong to these.
SHOWN_VERSION, SHOWN_ADD_ONS = "shown_version", "shown_add_on"


@dataclass(frozen=True)
class Choice:
    """The versions that the cluster shall have, and those it could have."""

    card: Card
    version: ProfileVersion
    add_ons: AddOns
    # What the cluster has, its own profile's first.
    now: Sequence[ProfileVersion]

    @property
    def attached(self) -> list[UUID]:
        return [version.pk for version in self.now[1:]]

    @property
    def problem(self) -> str:
        return self.add_ons.problem(self.version)

    @property
    def query(self) -> str:
        """What `choice_of` makes the same choice of."""
        return urlencode({"version": self.version.pk, STACK: 1, ROWS: self.add_ons.ids}, doseq=True)

    def __str__(self) -> str:
        return ", ".join(map(str, (self.version, *self.add_ons.versions)))


def choice_of(cluster: Cluster, data: QueryDict) -> Choice:
    """As it was asked for; else the newest of all it has. Raise Conflict for a cluster without a profile."""
    own = cluster.profile_version
    if own is None or cluster.project is None:
        raise Conflict("The cluster was made without a profile, so there is nothing to update it to.")
    add_ons = [add_on.version for add_on in cluster.add_ons.select_related("version__profile")]
    # What a cluster has cannot become older.
    ranks = {version.profile_id: version.rank for version in (own, *add_ons)}
    cards = {
        card.profile.pk: card.since(ranks.get(card.profile.pk, 0)) for card in profile_cards(cluster.project)
    }
    card, wanted = cards[own.profile_id], data.get("version")
    newest = [str(cards[version.profile_id].newest.pk) for version in add_ons]
    offered = [found for found in cards.values() if found.is_add_on]
    return Choice(
        card=card,
        version=next((version for version in card.versions if str(version.pk) == wanted), card.newest),
        add_ons=AddOns(offered, sent_add_ons(data) if STACK in data else newest),
        now=(own, *add_ons),
    )


def update_form(cluster: Cluster, choice: Choice, data: QueryDict | None = None) -> ParametersForm:
    """The wizard's page of parameters, for a cluster that exists."""
    draft = _as_draft(cluster, choice)
    if data is not None and str(data.get("then", "")).startswith("reset-"):
        return ParametersForm.redraw(draft, data)
    return ParametersForm.open(draft, data)


def carried_form(cluster: Cluster, choice: Choice, data: QueryDict) -> ParametersForm:
    """What was typed before another version was chosen, wherever that has a place for it; no secrets."""
    shown = _as_draft(cluster, choice_of(cluster, _shown(data)))
    draft = _as_draft(cluster, choice)
    kept = {pack: text for pack, text in own_changes(cluster).items() if TEXT + pack not in data}
    layers = kept | ParametersForm.typed(shown, data)["layers"]
    draft.pages[PARAMETERS]["values"]["layers"] = layers
    typed = {
        key: str(data[VARIABLE + key]).strip()
        for key, variable in variables_in(draft).items()
        if not variable.masked and VARIABLE + key in data
    }
    draft.variables = json.dumps(variables_of(draft) | typed)
    return ParametersForm.open(draft)


def _shown(data: QueryDict) -> QueryDict:
    shown = QueryDict(mutable=True)
    shown["version"], shown[STACK] = data.get(SHOWN_VERSION, ""), "1"
    shown.setlist(ROWS, data.getlist(SHOWN_ADD_ONS))
    return shown


def update_request(form: ParametersForm) -> StackRequest:
    return stack_request(form.profiles, form.given)


def _as_draft(cluster: Cluster, choice: Choice) -> DeployDraft:
    """Never saved."""
    secrets = ClusterSecrets.objects.filter(cluster=cluster).first()
    pages = {
        PROFILE: {"values": {"add_ons": choice.add_ons.ids}, "open": ""},
        PARAMETERS: {"values": {"layers": own_changes(cluster)}, "open": ""},
    }
    return DeployDraft(
        project=cluster.project,
        profile_version=choice.version,
        pages=pages,
        variables=_known_variables(secrets.variables if secrets else "", choice),
    )


def _known_variables(stored: str, choice: Choice) -> str:
    """Without those that the versions do not have any more."""
    given: Mapping[str, str] = json.loads(stored or "{}")
    profiles = stacked(choice.version, choice.add_ons.versions)
    keys = {profile.key(variable.name) for profile in profiles for variable in profile.definitions}
    return json.dumps({key: value for key, value in given.items() if key in keys})


def own_changes(cluster: Cluster) -> dict[str, str]:
    """By pack: the values that differ from what the cluster's versions of the profiles say."""
    assert cluster.profile_version is not None
    add_ons = cluster.add_ons.select_related("version").prefetch_related("version__layers")
    versions = [cluster.profile_version, *(add_on.version for add_on in add_ons)]
    said = {layer.pack: plain(text_of(layer)) for version in versions for layer in version.layers.all()}
    now = {layer.pack: plain(text_of(layer)) for layer in cluster.layers.all()}
    return {pack: text for pack, text in now.items() if text.strip() != said.get(pack, "").strip()}
