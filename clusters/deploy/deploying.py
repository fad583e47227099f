"""Deploy: a complete draft becomes a cluster, however often the button is pressed.

The draft may be days old: what it names is looked for in vCenter, and the prerequisites are checked, first.
"""

from django.db import transaction

from clusters.actions.deploy import deploy_cluster
from clusters.actions.stacks import StackRefused
from clusters.deploy.accounts import account_of
from clusters.deploy.checks import check_deployment, reason_against, report_of
from clusters.deploy.drafts import (
    BASICS,
    PARAMETERS,
    PLACEMENT,
    POOLS,
    PROFILE,
    first_incomplete,
    locked,
    open_reason,
    page_values,
)
from clusters.deploy.forms.pools import MASTER
from clusters.deploy.offers import Offer, fetch_offer
from clusters.deploy.request import request_of
from clusters.deploy.wizard import REVIEW
from clusters.models import Cluster, DeployDraft
from gateways.placement import TITLES
from gateways.prerequisites import Report
from palette_portal.http import Conflict
from palette_portal.tenants.models import User
from palette_portal.vsphere.errors import VSphereError


class DeploymentRefused(Exception):
    """Something is no longer as the wizard saw it; `page` is where it can be put right."""

    def __init__(self, page: str, reason: str) -> None:
        super().__init__(reason)
        self.page = page
        self.reason = reason


def deploy_draft(*, draft: DeployDraft, by: User) -> Cluster:
    """Raise Denied, Conflict, or DeploymentRefused with the page that has to be changed."""
    if draft.cluster is not None:
        return draft.cluster
    incomplete = first_incomplete(draft)
    if incomplete:
        raise DeploymentRefused(
            incomplete, open_reason(draft, incomplete) or "This page is not filled in yet."
        )
    _check_report(draft)
    _check_vcenter(draft)
    return _deploy(draft, by)


def _check_report(draft: DeployDraft) -> None:
    """What the review shows has to be about this draft, done, recent, and without failures."""
    report = report_of(draft)
    if report is not None and report.is_fresh:
        _refuse_failures(Report.from_json(report.content))
    elif account_of(draft) is not None:
        raise DeploymentRefused(REVIEW, reason_against(report))


def _check_vcenter(draft: DeployDraft) -> None:
    account = account_of(draft)
    if account is None:
        raise DeploymentRefused(PLACEMENT, "The cloud account cannot be used now. Select another one.")
    try:
        offer = fetch_offer(account)
        _check_choices(draft, offer)
        found = check_deployment(request_of(draft))
    except VSphereError as error:
        raise DeploymentRefused(PLACEMENT, f"{error.sentence} {error.hint}".strip()) from error
    except Conflict as conflict:
        raise DeploymentRefused(_page_of(conflict), conflict.reason) from conflict
    _refuse_failures(found)


def _refuse_failures(report: Report) -> None:
    for line in report.failed:
        page = _PAGES.get(line.key.partition(":")[0], POOLS)
        raise DeploymentRefused(page, f"{line.sentence} {line.hint}".strip())


# Where a failed line can be put right, when it is not with the node pools.
_PAGES = {
    "names": BASICS,
    "networks": PARAMETERS,
    **dict.fromkeys(("dns", "login", "version", "folder", "image-template", "privileges"), PLACEMENT),
}


def _check_choices(draft: DeployDraft, offer: Offer) -> None:
    """By their ids: another object of the same name is somebody else's until the person chose it."""
    placement, choices = page_values(draft, PLACEMENT), offer.choices
    for choice in ("datacenter", "folder"):
        if not choices.name_of(choice, placement):
            raise _gone(PLACEMENT, choice, placement["names"][choice])
    pools = page_values(draft, POOLS)
    for pool in (pools[MASTER], *pools["workers"]):
        for zone in pool["zones"]:
            chosen = {**zone, "datacenter": placement["datacenter"]}
            for choice in ("compute_cluster", "resource_pool", "datastore", "network"):
                if not choices.name_of(choice, chosen):
                    raise _gone(POOLS, choice, zone["names"][choice])


def _gone(page: str, choice: str, name: str) -> DeploymentRefused:
    return DeploymentRefused(page, f"{TITLES[choice]} “{name}” is no longer available in vCenter.")


@transaction.atomic
def _deploy(draft: DeployDraft, by: User) -> Cluster:
    current = locked(draft.pk)
    if current.cluster is not None:
        return current.cluster
    if (current.pages, current.variables) != (draft.pages, draft.variables):
        raise Conflict("The draft was changed in another tab meanwhile. Look it over and deploy again.")
    try:
        cluster = deploy_cluster(request=request_of(current), by=by)
    except Conflict as conflict:
        raise DeploymentRefused(_page_of(conflict), conflict.reason) from conflict
    DeployDraft.objects.filter(pk=current.pk).update(cluster=cluster, variables="")
    return cluster


def _page_of(conflict: Conflict) -> str:
    if isinstance(conflict, StackRefused):
        return PROFILE
    return BASICS if " has a cluster " in conflict.reason else POOLS
