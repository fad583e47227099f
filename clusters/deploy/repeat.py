"""A draft from an exported review: through the same forms, so that the same things are refused.

Objects of vCenter are found by their names, whatever their ids are by now.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.db import transaction
from django.http import QueryDict

from clusters.deploy.accounts import offered_accounts
from clusters.deploy.add_ons import ROWS
from clusters.deploy.drafts import (
    BASICS,
    PARAMETERS,
    PLACEMENT,
    POOLS,
    PROFILE,
    create_draft,
    save_complete,
)
from clusters.deploy.export import KIND, VERSION, name_in_document
from clusters.deploy.forms.basics import BasicsForm
from clusters.deploy.forms.parameters import TEXT, VARIABLE, ParametersForm
from clusters.deploy.forms.placement import PlacementForm
from clusters.deploy.forms.pools import MASTER, PoolsForm
from clusters.deploy.forms.profile import ProfileForm
from clusters.deploy.forms.wizard_form import WizardForm
from clusters.deploy.offers import Offer, get_offer
from clusters.models import DeployDraft
from clusters.profiles.models import ProfileVersion
from gateways.models import CloudAccount
from ippools.models import IPPool
from palette_portal.tenants.models import Project, User


class CannotRepeat(Exception):
    """The reasons are sentences for the person."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


def wanted_secrets(document: Mapping[str, Any]) -> Sequence[str]:
    check_document(document)
    return [str(name) for name in document[PARAMETERS].get("secret_variables", [])]


def check_document(document: Mapping[str, Any]) -> None:
    pages = (BASICS, PROFILE, PARAMETERS, PLACEMENT, POOLS)
    if document.get("kind") != KIND or any(not isinstance(document.get(page), dict) for page in pages):
        raise CannotRepeat("The file is not a review that the deploy wizard exported.")
    if document.get("version") != VERSION:
        raise CannotRepeat(f"The file is of version {document.get('version')}; this portal reads {VERSION}.")


@transaction.atomic
def draft_from(
    document: Mapping[str, Any], *, by: User, secrets: Mapping[str, str], name: str = "", project: str = ""
) -> DeployDraft:
    """All pages accepted, or nothing kept. Raise CannotRepeat, Denied, VSphereError."""
    check_document(document)
    draft = _begin(document, by, name, project or str(document.get("project", "")))
    account = _account(draft.project, document[PLACEMENT])
    offer = get_offer(account)
    draft = _accept(draft, _profile(draft, document[PROFILE]), by)
    draft = _accept(draft, _parameters(draft, document[PARAMETERS], secrets), by)
    draft = _accept(draft, _placement(draft, document[PLACEMENT], account, offer), by)
    return _accept(draft, _pools(draft, document[POOLS], account, offer), by)


def _begin(document: Mapping[str, Any], by: User, name: str, slug: str) -> DeployDraft:
    project = Project.objects.visible_to(by).select_related("tenant").filter(slug=slug).first()
    if project is None:
        raise CannotRepeat(f"There is no project {slug}, or {by.email} may not see it.")
    initial = {**document[BASICS], **({"name": name} if name else {})}
    form = BasicsForm(as_data(BasicsForm(project=project, initial=initial)), project=project)
    _check(form, BASICS)
    return create_draft(project=project, values=form.values(), by=by)


def _accept(draft: DeployDraft, form: WizardForm | PoolsForm, by: User) -> DeployDraft:
    form.by = by
    _check(form, form.page)
    return save_complete(draft=draft, page=form.page, values=form.values(), by=by, **form.columns())


def _check(form: WizardForm | PoolsForm, page: str) -> None:
    if form.is_valid():
        return
    reasons = [reason for part in _parts(form) for reason in _reasons(part)]
    problems = form.problems if isinstance(form, PoolsForm) else []
    raise CannotRepeat(*(f"{page}: {reason}" for reason in (*reasons, *problems)))


def _check_there(form: PlacementForm | PoolsForm) -> None:
    if form.vanished:
        raise CannotRepeat(*(f"{form.page}: {what} is not in vCenter." for what in form.vanished))


def _parts(form: WizardForm | PoolsForm) -> list[forms.Form]:
    if not isinstance(form, PoolsForm):
        return [form]
    return [part for pool in form.pools for part in (pool, *pool.zone_forms)]


def _reasons(form: forms.Form) -> Iterator[str]:
    for name, errors in form.errors.items():
        label = f"{form.fields[name].label}: " if name in form.fields else ""
        yield from (f"{label}{error}" for error in errors)


def _profile(draft: DeployDraft, wanted: Mapping[str, Any]) -> ProfileForm:
    offered = ProfileForm(draft=draft)
    add_ons = [version for card in offered.add_ons.more for version in card.versions]
    data = QueryDict(mutable=True)
    data["version"] = _named(list(offered.versions.values()), wanted)
    data.setlist(ROWS, [_named(add_ons, names) for names in wanted.get("add_ons", [])])
    return ProfileForm(data, draft=draft)


def _named(versions: Sequence[ProfileVersion], wanted: Mapping[str, Any]) -> str:
    """The id of the version that is called so, of the same scope if there are several."""
    name = (wanted["profile"], wanted["version_name"])
    named = [version for version in versions if (version.profile.name, version.version) == name]
    exact = [version for version in named if version.profile.scope == wanted.get("scope")]
    if not named:
        raise CannotRepeat(f"The project has no profile {name[0]} {name[1]} to use.")
    return str((exact or named)[0].pk)


def _parameters(draft: DeployDraft, wanted: Mapping[str, Any], secrets: Mapping[str, str]) -> ParametersForm:
    form = ParametersForm(draft=draft, texts=wanted.get("layers", {}))
    texts = {TEXT + layer.name: layer.text for layer in form.layers}
    said = {**wanted.get("variables", {}), **secrets}
    given = {
        VARIABLE + one.profile.key(variable.name): said[name]
        for number, one in enumerate(form.profiles)
        for variable in one.profile.definitions
        if (name := name_in_document(number, variable.name)) in said
    }
    return ParametersForm(_query({**texts, **given}), draft=draft)


def _account(project: Project, wanted: Mapping[str, Any]) -> CloudAccount:
    accounts = [account for account in offered_accounts(project) if account.name == wanted["cloud_account"]]
    if not accounts:
        raise CannotRepeat(f"The cloud account {wanted['cloud_account']} cannot be used in {project} now.")
    return accounts[0]


def _placement(
    draft: DeployDraft, wanted: Mapping[str, Any], account: CloudAccount, offer: Offer
) -> PlacementForm:
    names = {choice: wanted[choice] for choice in ("datacenter", "folder")}
    values = {**wanted, "names": names, "cloud_account": str(account.pk), **dict.fromkeys(names, "")}
    draft.pages[PLACEMENT] = {"values": values, "open": ""}
    restored = PlacementForm.restore(draft, account, offer)
    _check_there(restored)
    return PlacementForm(as_data(restored), draft=draft, account=account, offer=offer)


def _pools(draft: DeployDraft, wanted: Mapping[str, Any], account: CloudAccount, offer: Offer) -> PoolsForm:
    pools = {pool.name: str(pool.pk) for pool in IPPool.objects.filter(gateway=account.gateway)}
    datacenter = draft.pages[PLACEMENT]["values"]["datacenter"]
    clusters = {
        cluster.name: cluster.moid
        for cluster in offer.inventory.compute_clusters
        if cluster.datacenter_moid == datacenter
    }
    values = {
        MASTER: _pool(wanted[MASTER], clusters, pools),
        "workers": [_pool(pool, clusters, pools) for pool in wanted["workers"]],
    }
    restored = PoolsForm(draft=draft, account=account, offer=offer, values=values)
    _check_there(restored)
    data = _query({"workers": restored.keys})
    for part in _parts(restored):
        for name, sent in as_data(part).lists():
            data.setlist(name, sent)
    return PoolsForm(data, draft=draft, account=account, offer=offer)


def _pool(wanted: Mapping[str, Any], clusters: Mapping[str, str], pools: Mapping[str, str]) -> dict[str, Any]:
    missing = [zone["compute_cluster"] for zone in wanted["zones"] if zone["compute_cluster"] not in clusters]
    if missing:
        raise CannotRepeat(f"pools: The compute cluster {missing[0]} is not in the datacenter.")
    zones = [
        {"compute_cluster": clusters[zone["compute_cluster"]], "names": dict(zone)}
        for zone in wanted["zones"]
    ]
    return {**wanted, "zones": zones, "ip_pool": pools.get(wanted.get("ip_pool", ""), "")}


def as_data(form: forms.Form) -> QueryDict:
    """What a browser would send for the form as it is."""
    data = QueryDict(mutable=True)
    for name, field in form.fields.items():
        bound = form[name]
        value = bound.value()
        if isinstance(field, forms.MultipleChoiceField):
            data.setlist(bound.html_name, list(value or []))
        elif isinstance(field, forms.BooleanField):
            if value:
                data[bound.html_name] = "on"
        elif value is not None and not field.disabled:
            data[bound.html_name] = str(value)
    return data


def _query(values: Mapping[str, str]) -> QueryDict:
    data = QueryDict(mutable=True)
    data.update(values)
    return data
