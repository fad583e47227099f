"""Cloud accounts: made, changed, tested, deleted.

A new login is only kept after vCenter accepted it; everything that waits for it then goes on at once.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from clusters.models import Cluster
from gateways.logins import accepted, note_accepted, note_refusal, tell_accepted
from gateways.models import Availability, CloudAccount, PrivateCloudGateway
from gateways.states import GatewayState
from gateways.vcenter_checks import VCenterFacts, VCenterRefused, verify_vcenter
from ippools.actions import check_pools_fit
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import (
    CannotRetry,
    announce_subject,
    numbered_last,
    record_event,
    retry_step_now,
)
from palette_portal.orchestration.models import Severity, Step, StepState
from palette_portal.tenants import audit
from palette_portal.tenants.models import Project, User
from palette_portal.vsphere.errors import CertificateNotTrusted, VSphereError

LOGIN_COLUMNS = ("vcenter_server", "username", "password", "thumbprint_sha256", "ca_pem")
NAME_TAKEN = "Another cloud account of this scope has this name."


@dataclass(frozen=True)
class AccountValues:
    """What a person enters. Without a project the account is the tenant's."""

    project: Project | None
    gateway: PrivateCloudGateway
    name: str
    vcenter_server: str
    username: str
    password: str = field(repr=False)
    ca_pem: str = field(default="", repr=False)
    description: str = ""
    availability: Availability = Availability.ALL
    projects: tuple[Project, ...] = ()


@transaction.atomic
def create_account(*, values: AccountValues, facts: VCenterFacts, by: User) -> CloudAccount:
    """`facts` are what vCenter said to this login. Raise Conflict."""
    _check_gateway(values.gateway)
    check_pools_fit(values.gateway, values.vcenter_server)
    account = CloudAccount(
        tenant_id=values.gateway.tenant_id,
        project=values.project,
        gateway=values.gateway,
        created_by=by,
        **_columns(values),
        **_verified(facts),
    )
    _save(account, values)
    _audit(account, "create", by, vcenter=account.vcenter_server, username=account.username)
    announce_subject(account.subject)
    return account


@transaction.atomic
def change_account(
    *, account: CloudAccount, values: AccountValues, facts: VCenterFacts | None, by: User
) -> CloudAccount:
    """Without `facts` the login stays as it is. Raise Conflict."""
    row = CloudAccount.objects.select_for_update(of=("self",)).get(pk=account.pk)
    before, was_refused = _known(row), row.refused_at is not None
    _check_not_moved(row, values)
    columns = {**_columns(values), **(_verified(facts) if facts else {}), "gateway": values.gateway}
    for name, value in columns.items():
        if facts or name not in LOGIN_COLUMNS:
            setattr(row, name, value)
    _save(row, values)
    changed = [name for name, value in _known(row).items() if value != before[name]]
    is_login = not set(changed).isdisjoint(LOGIN_COLUMNS)
    _audit(row, "change-credentials" if is_login else "change", by, changed=[_word(name) for name in changed])
    if facts:
        _let_users_go_on(row, by, changed=is_login)
        if was_refused:
            tell_accepted(row)
    announce_subject(row.subject)
    return row


def verify_account(*, account: CloudAccount, by: User) -> VCenterFacts:
    """Log in as the account does. Raise VCenterRefused; either way the account shows what came of it."""
    try:
        facts = verify_vcenter(account.credentials(), trusted_thumbprint=account.thumbprint_sha256)
    except VCenterRefused as refused:
        _note(account, refused)
        raise
    with transaction.atomic():
        note_accepted(account)
        _audit(account, "test", by, vcenter_version=facts.version)
        _let_users_go_on(account, by, changed=False)
        announce_subject(account.subject)
    return facts


@transaction.atomic
def delete_account(*, account: CloudAccount, by: User | None) -> None:
    """Raise Conflict while clusters that are not Deleted use it."""
    row = CloudAccount.objects.select_for_update(of=("self",)).get(pk=account.pk)
    if count := row.clusters.present().count():
        clusters = "1 cluster uses" if count == 1 else f"{count} clusters use"
        raise Conflict(f"{clusters} the cloud account {row}. Delete {'it' if count == 1 else 'them'} first.")
    row.clusters.update(cloud_account=None)
    _audit(row, "delete", by, gateway=row.gateway.display_name)
    announce_subject(row.subject)
    row.delete()


def is_moored(account: CloudAccount) -> bool:
    """Whether gateway and vCenter stay as they are: machines of its clusters are there."""
    return account.is_default or account.clusters.present().exists()


def _check_not_moved(account: CloudAccount, values: AccountValues) -> None:
    is_moved = values.gateway.pk != account.gateway_id
    if is_moved:
        _check_gateway(values.gateway)
    if (is_moved or values.vcenter_server != account.vcenter_server) and is_moored(account):
        raise Conflict(f"Clusters use the cloud account {account}: its gateway and vCenter stay as they are.")
    if is_moved or values.vcenter_server != account.vcenter_server:
        check_pools_fit(values.gateway, values.vcenter_server)


def _check_gateway(gateway: PrivateCloudGateway) -> None:
    running = PrivateCloudGateway.objects.filter(pk=gateway.pk, state=GatewayState.RUNNING)
    if not running.exists():
        raise Conflict(f"The gateway {gateway} is not Running. Choose one that is.")


def _columns(values: AccountValues) -> dict[str, Any]:
    of_tenant = values.project is None
    return {
        "name": values.name,
        "description": values.description,
        "availability": values.availability if of_tenant else Availability.ALL,
        "vcenter_server": values.vcenter_server,
        "username": values.username,
        "password": values.password,
        "ca_pem": values.ca_pem,
    }


def _verified(facts: VCenterFacts) -> dict[str, Any]:
    return {
        "thumbprint_sha256": facts.pinned_thumbprint,
        "vcenter_version": facts.version,
        **accepted(),
    }


def _save(account: CloudAccount, values: AccountValues) -> None:
    try:
        with transaction.atomic():
            account.save()
    except IntegrityError as error:
        if "cloud_account_name_unique_in_scope" in str(error):
            raise Conflict(NAME_TAKEN) from error
        raise
    is_chosen = account.project_id is None and account.availability == Availability.CHOSEN
    account.projects.set(values.projects if is_chosen else ())


def _known(account: CloudAccount) -> dict[str, Any]:
    """What the audit log names when it changes."""
    columns = ("name", "description", "gateway_id", "availability", *LOGIN_COLUMNS)
    known = {column: getattr(account, column) for column in columns}
    return {**known, "projects": set(account.projects.values_list("pk", flat=True))}


def _word(column: str) -> str:
    return {"ca_pem": "CA certificate", "thumbprint_sha256": "certificate", "gateway_id": "gateway"}.get(
        column, column.replace("_", " ")
    )


def _note(account: CloudAccount, refused: VCenterRefused) -> None:
    if isinstance(refused.__cause__, VSphereError):
        note_refusal(account, refused.__cause__)
    elif refused.certificate is not None:
        note_refusal(account, CertificateNotTrusted(refused.reason))


def _let_users_go_on(account: CloudAccount, by: User, *, changed: bool) -> None:
    with numbered_last():
        for cluster in account.clusters.present():
            _go_on(cluster, by, changed=changed)


def _go_on(cluster: Cluster, by: User, *, changed: bool) -> None:
    failed = Step.objects.of(cluster.subject).filter(state=StepState.RETRYING, operation__state="Running")
    for step in failed.select_related("operation"):
        with suppress(CannotRetry):  # a worker took it meanwhile: it reads the new login by itself
            retry_step_now(step, by=by)
    if changed:
        record_event(
            subject=cluster.subject,
            severity=Severity.INFO,
            reason="CredentialsChanged",
            message=f"{by} changed the vCenter credentials of {cluster}.",
        )


def _audit(account: CloudAccount, action: str, by: User | None, **detail: Any) -> None:
    audit.record(
        by=by,
        action=action,
        obj_kind="cloud-account",
        obj_id=account.pk,
        obj_name=account.name,
        tenant=account.tenant,
        project=account.project,
        **detail,
    )
