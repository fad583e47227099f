"""Reset: take a provisioning back that is stuck or wrong, and open the Configure wizard again."""

from django.db import transaction

from clusters.actions.removal import remove_cluster
from clusters.models import Cluster
from clusters.removal import CLUSTER_DELETED
from clusters.states import ClusterState
from gateways.drafts import reopen
from gateways.models import CloudAccount, PrivateCloudGateway
from gateways.states import GatewayState, check_resettable, move_gateway
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import announce_subject
from palette_portal.orchestration.models import OperationKind
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants import audit
from palette_portal.tenants.models import User

GATEWAY_RESET = StepSpec(
    key="gateway-reset",
    title="Make the gateway ready to configure",
    function="gateways.steps.ensure_gateway_reset",
    depends_on=(CLUSTER_DELETED,),
)


def reset_reason(gateway: PrivateCloudGateway, body: Cluster | None) -> str:
    """Why the gateway cannot be reset now; empty if it can."""
    try:
        check_reset(gateway, body)
    except Conflict as conflict:
        return conflict.reason
    return ""


def check_reset(gateway: PrivateCloudGateway, body: Cluster | None) -> None:
    check_resettable(gateway)
    if body is None and gateway.state == GatewayState.PROVISIONING:
        raise Conflict("The gateway has been reset. It is ready to configure in a moment.")
    if body is not None and body.state == ClusterState.DELETING:
        raise Conflict("The gateway is being reset already.")


@transaction.atomic
def reset_gateway(*, gateway: PrivateCloudGateway, by: User) -> Cluster | None:
    """Return the cluster that goes, None when there was none. Raise Conflict."""
    gateway = PrivateCloudGateway.objects.select_for_update(of=("self",), no_key=True).get(pk=gateway.pk)
    body = Cluster.objects.gateway_bodies().filter(gateway=gateway).first()
    check_reset(gateway, body)
    _check_unused(gateway)
    _audit(gateway, body, by)
    if body is None:
        reopen_gateway(gateway, None)
    else:
        remove_cluster(cluster=body, kind=OperationKind.RESET, extra_steps=(GATEWAY_RESET,), by=by)
    announce_subject(gateway.subject)
    return body


def reopen_gateway(gateway: PrivateCloudGateway, body: Cluster | None) -> None:
    """Pending again, with the installer registered, the wizard's last values, and no password anywhere.

    The caller holds the gateway's lock. The default cloud account waits for its next credentials.
    """
    fresh = {"error": "", "release": None, "upgrading_to": None, "running_at": None}
    move_gateway(gateway, GatewayState.PENDING, **fresh)
    CloudAccount.objects.filter(gateway=gateway, is_default=True).update(password="")
    reopen(gateway, pool_id=_pool_id(body))


def _pool_id(body: Cluster | None) -> str:
    pools = body.machine_pools.exclude(ip_pool=None) if body else ()
    return next((str(pool.ip_pool_id) for pool in pools), "")


def _check_unused(gateway: PrivateCloudGateway) -> None:
    """A gateway in Error may have been in service."""
    used = Cluster.objects.present().filter(gateway=gateway).exclude(project=None)
    if names := sorted(used.values_list("name", flat=True)):
        raise Conflict(f"Clusters use this gateway: {', '.join(names)}. Delete them first.")


def _audit(gateway: PrivateCloudGateway, body: Cluster | None, by: User) -> None:
    audit.record(
        by=by,
        action="reset",
        obj_kind="gateway",
        obj_id=gateway.pk,
        obj_name=gateway.display_name,
        tenant=gateway.tenant,
        cluster=str(body.pk) if body else "",
    )
