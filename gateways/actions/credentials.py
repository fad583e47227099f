"""New credentials for an account whose old ones are refused: what waits for them goes on at once."""

from contextlib import suppress

from django.db import transaction

from clusters.models import Cluster
from gateways.models import CloudAccount
from gateways.vcenter_checks import VCenterFacts
from palette_portal.orchestration.actions import CannotRetry, numbered_last, record_event, retry_step_now
from palette_portal.orchestration.models import Severity, Step, StepState
from palette_portal.tenants import audit
from palette_portal.tenants.models import User


@transaction.atomic
def change_credentials(
    *, account: CloudAccount, username: str, password: str, facts: VCenterFacts, by: User
) -> None:
    """Keep credentials that vCenter just accepted and try again what failed."""
    account = CloudAccount.objects.select_for_update().get(pk=account.pk)
    account.username, account.password = username, password
    account.thumbprint_sha256 = facts.pinned_thumbprint
    account.vcenter_version = facts.version
    account.save()
    audit.record(
        by=by,
        action="change-credentials",
        obj_kind="cloud-account",
        obj_id=account.pk,
        obj_name=account.name,
        tenant=account.tenant,
        project=account.project,
        username=username,
    )
    with numbered_last():
        for cluster in account.clusters.present():
            _go_on(cluster, by)


def _go_on(cluster: Cluster, by: User) -> None:
    failed = Step.objects.of(cluster.subject).filter(state=StepState.RETRYING, operation__state="Running")
    for step in failed.select_related("operation"):
        with suppress(CannotRetry):  # a worker took it meanwhile: it reads the new credentials by itself
            retry_step_now(step, by=by)
    record_event(
        subject=cluster.subject,
        severity=Severity.INFO,
        reason="CredentialsChanged",
        message=f"{by} changed the vCenter credentials of {cluster}.",
    )
