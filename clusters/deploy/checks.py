"""The prerequisites of one deployment: checked in the background for the review, and once more by Deploy."""

import json
from dataclasses import replace

from django.db import connection
from django.utils.crypto import salted_hmac

from clusters.actions.requests import ClusterRequest, PlacementRequest
from clusters.deploy.accounts import account_of
from clusters.deploy.drafts import draft_name
from clusters.deploy.offers import ask
from clusters.deploy.request import request_of
from clusters.deploy.review import Review
from clusters.models import DeployDraft
from clusters.names import label
from gateways.models import PrerequisiteReport
from gateways.models.pages import FRESH_FOR
from gateways.prerequisites import (
    Line,
    Place,
    Report,
    Scope,
    WantedMachine,
    latest_report,
    run_checks,
    start_check,
)
from gateways.prerequisites.room import address_lines
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, check
from palette_portal.vsphere.session import VCenter


def fingerprint_of(draft: DeployDraft) -> str:
    """Changes with whatever the draft says, so a report tells whether it is about what would be deployed now.

    Keyed, because variables are among it, and those may be secret.
    """
    says = [str(draft.pk), str(draft.profile_version_id), draft.pages, draft.variables]
    account = account_of(draft)
    login = [account.vcenter_server, account.username] if account else []
    text = json.dumps([*says, *login], sort_keys=True)
    return salted_hmac("clusters.deploy.checks", text, algorithm="sha256").hexdigest()


def report_of(draft: DeployDraft) -> PrerequisiteReport | None:
    """The newest report about exactly what the draft says, running or not."""
    account = account_of(draft)
    if account is None:
        return None
    return latest_report(cloud_account=account, project=draft.project, fingerprint=fingerprint_of(draft))


def check_draft(draft: DeployDraft, *, by: User, again: bool = False) -> PrerequisiteReport:
    """Start it, unless it runs or ended a short while ago; `again` starts it anyhow. Raise Conflict."""
    check(by, Permission.DEPLOY_CLUSTERS, project=draft.project)
    request = request_of(draft)
    return start_check(
        account=request.cloud_account,
        project=draft.project,
        scope=scope_of(request),
        deployment=f"Cluster {draft_name(draft)}",
        fingerprint=fingerprint_of(draft),
        reuse=not again,
        by=by,
    )


def needs_check(report: PrerequisiteReport | None) -> bool:
    return report is None or not (report.is_running or report.is_fresh)


def reason_against(report: PrerequisiteReport | None) -> str:
    """Why nothing is deployed on what the report says: for the button, and for the action behind it."""
    if report is None:
        return "The prerequisites of what the draft says have not been checked."
    if report.is_running:
        return "The prerequisites are being checked."
    if not report.is_fresh:
        minutes = FRESH_FOR.total_seconds() / 60
        return f"The prerequisites were checked more than {minutes:.0f} minutes ago. Check again."
    return "Put right what failed first, then check again." if report.level == "failed" else ""


def check_deployment(request: ClusterRequest) -> Report:
    """While the person waits, within a time limit. Raise VSphereError when vCenter does not answer at all."""
    scope = scope_of(request)

    def question(_vcenter: VCenter) -> Report:
        try:
            return run_checks(request.cloud_account, replace(scope, addresses=()))
        finally:
            connection.close()  # of this thread

    # Addresses are counted on the connection, and in the transaction, of whoever asks.
    found = ask(request.cloud_account, question)
    return replace(found, lines=(*address_lines(scope), *found.lines))


def scope_of(request: ClusterRequest) -> Scope:
    review = Review(request)
    places = list(dict.fromkeys(place for pool in request.pools for place in pool.placements))
    return Scope(
        datacenter_moid=request.datacenter_moid,
        folder_moid=request.folder_moid,
        own_folder=label(request.name) if request.has_own_folder else "",
        image_folder=request.image_folder,
        image_template=request.image_template,
        image_will_be_imported=bool(request.image_url),
        places=tuple(map(_place, places)),
        machines=tuple(
            WantedMachine(
                name=machine.name,
                num_cpus=machine.pool.num_cpus,
                memory_mib=machine.pool.memory_mib,
                disk_gib=machine.pool.disk_gib,
                place=places.index(machine.place),
            )
            for machine in review.machines
        ),
        addresses=tuple(request.reservations.items()),
        networks=(("pod", request.pod_cidr), ("service", request.service_cidr)),
    )


def _place(place: PlacementRequest) -> Place:
    return Place(
        zone=place.zone,
        compute_cluster_moid=place.compute_cluster_moid,
        resource_pool_moid=place.resource_pool_moid,
        datastore_moid=place.datastore_moid,
        network_moid=place.network_moid,
    )


def sentence_of(line: Line) -> str:
    """For readers without the page."""
    named = f" {line.object_name}" if line.object_name else ""
    return f"{line.object_kind}{named}: {line.sentence} {line.hint}".rstrip()
