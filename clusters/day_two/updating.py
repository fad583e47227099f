"""What the update page starts from: a cluster's own changes, carried over to another profile version."""

import json
from collections.abc import Mapping

from django.db.models import QuerySet
from django.http import QueryDict

from clusters.actions.requests import LayerRequest
from clusters.actions.updates import UpdateRequest
from clusters.deploy.drafts import PARAMETERS
from clusters.deploy.forms.parameters import ParametersForm
from clusters.deploy.layers import plain
from clusters.models import Cluster, ClusterSecrets, DeployDraft
from clusters.profiles.diffs import text_of
from clusters.profiles.models import LayerKind, ProfileVersion


def versions_for(cluster: Cluster) -> QuerySet[ProfileVersion]:
    """Those the cluster can have, newest first: its own, for other values, and newer ones."""
    own = cluster.profile_version
    if own is None:
        return ProfileVersion.objects.none()
    rows = ProfileVersion.objects.filter(profile_id=own.profile_id, rank__gte=own.rank)
    return rows.exclude(published_at=None).select_related("profile").order_by("-rank")


def update_form(cluster: Cluster, version: ProfileVersion, data: QueryDict | None = None) -> ParametersForm:
    """The wizard's page of parameters, for a cluster that exists."""
    draft = _as_draft(cluster, version)
    if data is not None and str(data.get("then", "")).startswith("reset-"):
        return ParametersForm.redraw(draft, data)
    return ParametersForm.open(draft, data)


def update_request(form: ParametersForm, version: ProfileVersion) -> UpdateRequest:
    layers = tuple(
        LayerRequest(LayerKind(one.layer.kind), one.name, one.layer.pack_version, one.text)
        for one in form.layers
    )
    return UpdateRequest(version, layers, form.given)


def _as_draft(cluster: Cluster, version: ProfileVersion) -> DeployDraft:
    """Never saved."""
    secrets = ClusterSecrets.objects.filter(cluster=cluster).first()
    pages = {PARAMETERS: {"values": {"layers": own_changes(cluster)}, "open": ""}}
    return DeployDraft(
        project=cluster.project,
        profile_version=version,
        pages=pages,
        variables=_known_variables(secrets.variables if secrets else "", version),
    )


def _known_variables(stored: str, version: ProfileVersion) -> str:
    """Without those that the version does not have any more."""
    given: Mapping[str, str] = json.loads(stored or "{}")
    names = {definition["name"] for definition in version.variables}
    return json.dumps({name: value for name, value in given.items() if name in names})


def own_changes(cluster: Cluster) -> dict[str, str]:
    """By pack: the values that differ from what the cluster's version of the profile says."""
    assert cluster.profile_version is not None
    said = {layer.pack: plain(text_of(layer)) for layer in cluster.profile_version.layers.all()}
    now = {layer.pack: plain(text_of(layer)) for layer in cluster.layers.all()}
    return {pack: text for pack, text in now.items() if text.strip() != said.get(pack, "").strip()}
