"""Delete a gateway: its machines, and what only it used. The installer's VM is the admin's: it stays."""

from contextlib import suppress
from typing import Any

from django.db import transaction
from django.utils import timezone

from clusters.actions.removal import forget_cluster, remove_cluster
from clusters.models import Cluster, ClusterPurpose, Machine
from clusters.removal import CLUSTER_DELETED
from gateways.actions.accounts import delete_account
from gateways.models import CloudAccount, ConfigureDraft, PrivateCloudGateway
from gateways.states import GatewayState, check_deletable, move_gateway
from ippools.actions import PoolInUse, delete_pool
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import announce_subject, record_event
from palette_portal.orchestration.models import Operation, OperationKind, Severity, Step
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants import audit
from palette_portal.tenants.models import User

GATEWAY_DELETED = StepSpec(
    key="gateway-deleted",
    title="Remove the gateway's pools, account and tokens",
    function="gateways.steps.ensure_gateway_deleted",
    depends_on=(CLUSTER_DELETED,),
)
# The digest of no token: whoever holds one is not let in any more.
REVOKED = "revoked"
TOO_EARLY = "Delete it first. If that cannot go on, the gateway can be removed without vCenter."


class GatewayInUse(Conflict):
    """Tenant clusters need the gateway."""

    def __init__(self, gateway: PrivateCloudGateway, clusters: list[Cluster]) -> None:
        self.clusters = clusters
        names = ", ".join(cluster.name for cluster in clusters)
        super().__init__(f"Clusters use {gateway}: {names}. Delete them first.")


def clusters_using(gateway: PrivateCloudGateway) -> list[Cluster]:
    used = Cluster.objects.present().filter(gateway=gateway, purpose=ClusterPurpose.TENANT)
    return list(used.select_related("project").order_by("name"))


def check_delete(gateway: PrivateCloudGateway) -> None:
    """Raise Conflict, with the clusters where it is GatewayInUse."""
    check_deletable(gateway)
    if clusters := clusters_using(gateway):
        raise GatewayInUse(gateway, clusters)


def check_remove_anyway(gateway: PrivateCloudGateway, body: Cluster | None) -> None:
    """Only after a deletion was tried and failed."""
    if gateway.state != GatewayState.DELETING or body is None:
        raise Conflict(TOO_EARLY)
    if not failed_steps(body):
        raise Conflict("The deletion goes on: nothing of it has failed.")


def failed_steps(body: Cluster) -> list[Step]:
    active = Operation.objects.of(body.subject).active().filter(kind=OperationKind.DELETE)
    return [step for step in Step.objects.filter(operation__in=active) if step.has_failed]


@transaction.atomic
def delete_gateway(*, gateway: PrivateCloudGateway, by: User) -> Cluster | None:
    """Return the cluster that goes, None when the gateway is gone at once. Raise Conflict, GatewayInUse."""
    gateway = _locked(gateway)
    check_delete(gateway)
    body = _body(gateway)
    _audit(gateway, "delete", by, cluster=str(body.pk) if body else "")
    move_gateway(gateway, GatewayState.DELETING, upgrading_to=None)
    if body is None:
        finish_deletion(gateway, by=by)
        _tell(gateway, None, Severity.INFO, "GatewayDeleted", farewell(gateway))
    else:
        _revoke_codes(gateway)
        remove_cluster(cluster=body, kind=OperationKind.DELETE, extra_steps=(GATEWAY_DELETED,), by=by)
    announce_subject(gateway.subject)
    return body


@transaction.atomic
def remove_gateway_anyway(*, gateway: PrivateCloudGateway, by: User) -> Cluster:
    """Without vCenter, which is gone for ever: what may remain there is in the event and the audit log."""
    gateway = _locked(gateway)
    body = _body(gateway)
    check_remove_anyway(gateway, body)
    assert body is not None
    remains = [_described(machine) for machine in forget_cluster(cluster=body, by=by)]
    _audit(gateway, "remove-anyway", by, cluster=str(body.pk), may_remain=remains)
    finish_deletion(gateway, by=by)
    sentence = f"{by} removed the gateway without vCenter. These may remain there: {', '.join(remains)}."
    _tell(gateway, body, Severity.WARNING, "GatewayRemovedAnyway", f"{sentence} {farewell(gateway)}")
    return body


def finish_deletion(gateway: PrivateCloudGateway, *, by: User | None) -> None:
    """Its cluster is Deleted. The caller holds the gateway's lock."""
    for pool in gateway.ip_pools.all():
        with suppress(PoolInUse):
            delete_pool(pool=pool, by=by)
    _delete_default_account(gateway, by)
    _revoke_codes(gateway)
    ConfigureDraft.objects.filter(gateway=gateway).delete()
    token = {"installer_token_hash": REVOKED} if gateway.is_registered else {}
    move_gateway(gateway, GatewayState.DELETED, http_proxy="", https_proxy="", **token)
    announce_subject(gateway.subject)


def farewell(gateway: PrivateCloudGateway) -> str:
    """What is left for the admin to do."""
    if not gateway.is_registered:
        return f"{gateway} is deleted. If its installer was deployed, remove that virtual machine in vCenter."
    where = f" ({gateway.installer_ip})" if gateway.installer_ip else ""
    return f"{gateway} is deleted. Its installer virtual machine{where} stays: remove it in vCenter."


def _delete_default_account(gateway: PrivateCloudGateway, by: User | None) -> None:
    """Unless clusters of another gateway use it."""
    for account in CloudAccount.objects.filter(gateway=gateway, is_default=True):
        with suppress(Conflict):
            delete_account(account=account, by=by)


def _revoke_codes(gateway: PrivateCloudGateway) -> None:
    gateway.pairing_codes.filter(used_at=None, revoked_at=None).update(revoked_at=timezone.now())


def _locked(gateway: PrivateCloudGateway) -> PrivateCloudGateway:
    rows = PrivateCloudGateway.objects.select_related("tenant")
    return rows.select_for_update(of=("self",), no_key=True).get(pk=gateway.pk)


def _body(gateway: PrivateCloudGateway) -> Cluster | None:
    return Cluster.objects.gateway_bodies().filter(gateway=gateway).first()


def _described(machine: Machine) -> str:
    return f"{machine.name} ({machine.ip_address})" if machine.ip_address else machine.name


def _tell(
    gateway: PrivateCloudGateway, body: Cluster | None, severity: Severity, reason: str, message: str
) -> None:
    subject = body.subject if body else gateway.subject
    record_event(
        subject=subject,
        severity=severity,
        reason=reason,
        message=message,
        object_kind="gateway",
        object_name=gateway.display_name,
    )


def _audit(gateway: PrivateCloudGateway, action: str, by: User, **detail: Any) -> None:
    audit.record(
        by=by,
        action=action,
        obj_kind="gateway",
        obj_id=gateway.pk,
        obj_name=gateway.display_name,
        tenant=gateway.tenant,
        **detail,
    )
