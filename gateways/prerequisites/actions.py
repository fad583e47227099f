"""Checks that run in the background: started, looked up, shared with a link, revoked.

A check is an operation of its own on the report, so it never stands in the way of another one.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from django.core import signing
from django.db import transaction
from django.utils import timezone

from gateways.models import SHARED_FOR, CloudAccount, PrerequisiteReport, PrivateCloudGateway
from gateways.prerequisites.scope import EMPTY, Scope
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import announce_subject, start_operation
from palette_portal.orchestration.models import OperationKind
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants import audit
from palette_portal.tenants.models import Project, User

# Of an account, or of a gateway: older ones go when a new one comes, unless somebody may be reading a link or
# deploy on what it says.
KEPT = 6
CHECKED = StepSpec(
    key="prerequisites-checked",
    title="Check prerequisites",
    function="gateways.prerequisites.steps.ensure_prerequisites_checked",
    head_start_seconds=60,  # a person waits for it
)
_SALT = "gateways.prerequisites"


@transaction.atomic
def start_check(
    *,
    account: CloudAccount | None = None,
    gateway: PrivateCloudGateway | None = None,
    project: Project | None = None,
    scope: Scope = EMPTY,
    deployment: str = "",
    fingerprint: str = "",
    reuse: bool = False,
    by: User,
) -> PrerequisiteReport:
    """Of an account, or of a gateway's draft. One that asks the same and still runs is given back.

    So is one that ended a short while ago, with `reuse`.
    """
    subject = account or gateway
    assert subject is not None
    lock = type(subject)._base_manager.select_for_update(of=("self",), no_key=True).filter(pk=subject.pk)
    if not lock.exists():
        raise Conflict("It was deleted meanwhile.")
    same = {
        "cloud_account": account,
        "gateway": gateway,
        "project": project,
        "deployment": deployment,
        "fingerprint": fingerprint,
    }
    latest = latest_report(**same)
    if latest is not None and (latest.is_running or (reuse and latest.is_fresh)):
        return latest
    report = PrerequisiteReport.objects.create(
        tenant_id=subject.tenant_id, scope=scope.as_json(), requested_by=by, **same
    )
    start_operation(kind=OperationKind.CHECK, subject=report.subject, steps=[CHECKED], by=by)
    announce_report(report)
    _forget_old(report)
    _audit(report, "check-prerequisites", by)
    return report


def latest_report(**of: Any) -> PrerequisiteReport | None:
    """The newest with these columns, running or not."""
    return PrerequisiteReport.objects.filter(**of).first()


@transaction.atomic
def share_report(*, report: PrerequisiteReport, by: User) -> None:
    """A new link; an earlier one stops working."""
    if report.is_running:
        raise Conflict("The check still runs. Share its report when it is done.")
    PrerequisiteReport.objects.filter(pk=report.pk).update(
        share_key=secrets.token_urlsafe(24), shared_at=timezone.now()
    )
    report.refresh_from_db()
    _audit(report, "share-report", by, until=str(report.shared_until))


@transaction.atomic
def revoke_link(*, report: PrerequisiteReport, by: User) -> None:
    if (
        PrerequisiteReport.objects.filter(pk=report.pk)
        .exclude(share_key="")
        .update(share_key="", shared_at=None)
    ):
        report.refresh_from_db()
        _audit(report, "revoke-report-link", by)


def link_token(report: PrerequisiteReport) -> str:
    """Signed with the portal's key. It carries which report it is, and the key that revoking forgets."""
    return signing.dumps([str(report.pk), report.share_key], salt=_SALT)


def find_shared(token: str) -> PrerequisiteReport | None:
    """None for a link that is forged, too old or revoked."""
    try:
        report_id, key = signing.loads(token, salt=_SALT, max_age=SHARED_FOR)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    shared = PrerequisiteReport.objects.shared().select_related("cloud_account", "gateway")
    return shared.filter(pk=report_id, share_key=key, finished_at__isnull=False).first()


def announce_report(report: PrerequisiteReport) -> None:
    """Its own page, and the account's, which names the latest one."""
    announce_subject(report.subject)
    if report.cloud_account:
        announce_subject(report.cloud_account.subject)


def note_stage(report: PrerequisiteReport, stage: int, content: Mapping[str, Any]) -> None:
    """What open pages show while the check runs."""
    running = PrerequisiteReport.objects.filter(pk=report.pk, finished_at=None)
    if running.update(stage=stage, content=content):
        announce_subject(report.subject)


def _forget_old(report: PrerequisiteReport) -> None:
    """Those about deployments do not displace those about the account in general."""
    others = PrerequisiteReport.objects.filter(cloud_account=report.cloud_account, gateway=report.gateway)
    others = others.exclude(deployment="") if report.deployment else others.filter(deployment="")
    kept = others.values_list("pk", flat=True)[:KEPT]
    shared = PrerequisiteReport.objects.shared().values("pk")
    in_use = others.in_use().exclude(deployment="").values("pk")
    others.exclude(pk__in=list(kept)).exclude(pk__in=shared).exclude(pk__in=in_use).delete()


def _audit(report: PrerequisiteReport, action: str, by: User, **detail: Any) -> None:
    about = report.cloud_account or report.gateway
    assert about is not None
    audit.record(
        by=by,
        action=action,
        obj_kind="cloud-account" if report.cloud_account else "gateway",
        obj_id=about.pk,
        obj_name=str(about),
        tenant=report.tenant,
        project=report.project or (report.cloud_account.project if report.cloud_account else None),
        report=str(report.pk),
        **({"deployment": report.deployment} if report.deployment else {}),
        **detail,
    )
