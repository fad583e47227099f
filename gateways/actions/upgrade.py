"""Upgrade a gateway to a newer release, or take an unfinished upgrade back: nodes are replaced one by one.

Meanwhile the gateway's queue is closed: new requests for its clusters wait, and running clusters go on.
"""

from typing import Any

from django.db import transaction

from clusters.actions.queue import hold_queue
from clusters.models import Cluster
from clusters.plan import step_spec
from clusters.removal import EARLIER_STEPS_ENDED
from clusters.states import ClusterHealth, ClusterState
from gateways.actions.replacement import nodes_for, replacement_steps
from gateways.models import GatewayRelease, PrivateCloudGateway
from gateways.releases import minor, next_release, published_releases
from gateways.states import GatewayState, check_is_not_system
from ippools.usage import usage_of
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import (
    OperationActive,
    announce_subject,
    cancel_operation,
    numbered_last,
    start_operation,
)
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants import audit
from palette_portal.tenants.models import User

REPLACEMENT_PLANNED = "replacement-planned"


def check_upgrade(gateway: PrivateCloudGateway, body: Cluster | None) -> tuple[Cluster, GatewayRelease]:
    """Return what is upgraded to what. Raise Conflict with the reason why not."""
    check_is_not_system(gateway)
    if gateway.upgrading_to:
        raise Conflict(f"The gateway is {under_way(gateway)} already.")
    if gateway.state != GatewayState.RUNNING or body is None or body.state != ClusterState.RUNNING:
        raise Conflict(f"The gateway is {gateway.state}; only a Running gateway can be upgraded.")
    release = next_release(gateway, published_releases())
    if release is None:
        raise Conflict(f"The gateway has the newest release, {gateway.release}.")
    if Operation.objects.of(body.subject).active().exists():
        raise OperationActive(body.subject)
    if body.health == ClusterHealth.UNHEALTHY:
        raise Conflict("A node of the gateway is not healthy. Repair it first: an upgrade needs them all.")
    _check_spare_address(body)
    return body, release


def check_roll_back(gateway: PrivateCloudGateway, body: Cluster | None) -> tuple[Cluster, GatewayRelease]:
    """Return what goes back to what. Raise Conflict with the reason why not."""
    release, newer = gateway.release, gateway.upgrading_to
    if newer is None or release is None or body is None or gateway.state != GatewayState.RUNNING:
        raise Conflict("No upgrade of the gateway is under way.")
    if newer == release:
        raise Conflict(f"The gateway is {under_way(gateway)} already.")
    if not can_go_back(body, release, newer):
        raise Conflict(
            f"All control plane nodes run Kubernetes {newer.kubernetes_version} by now, and Kubernetes does "
            "not go back by a minor version once the control plane has moved as a whole. The upgrade goes on "
            "by itself until it is done."
        )
    return body, release


def can_go_back(body: Cluster, release: GatewayRelease, newer: GatewayRelease) -> bool:
    """Its data stays readable for the older minor version only while a server of that one is there."""
    return minor(release) == minor(newer) or bool(nodes_for(body, release).keep)


def under_way(gateway: PrivateCloudGateway) -> str:
    """What is being done to it, for a sentence."""
    is_going_back = gateway.upgrading_to_id == gateway.release_id
    return f"being {'rolled back' if is_going_back else 'upgraded'} to {gateway.upgrading_to}"


@transaction.atomic
def upgrade_gateway(*, gateway: PrivateCloudGateway, to: str, by: User) -> Cluster:
    """`to` is the release that was reviewed. Raise Conflict."""
    gateway = _locked(gateway)
    body, release = check_upgrade(gateway, _body(gateway))
    if release.version != to:
        raise Conflict(f"Release {release} was published meanwhile. Review it, then upgrade.")
    _close_queue(gateway, release)
    _audit(gateway, "upgrade", by, release=release.version, was=str(gateway.release))
    steps = replacement_steps(body, release)
    start_operation(kind=OperationKind.UPGRADE, subject=body.subject, steps=steps, by=by)
    return body


@transaction.atomic
def roll_back_gateway(*, gateway: PrivateCloudGateway, by: User) -> Cluster:
    """Which nodes have to be exchanged is known when what still runs has ended. Raise Conflict."""
    gateway = _locked(gateway)
    body, release = check_roll_back(gateway, _body(gateway))
    newer = gateway.upgrading_to
    assert newer is not None  # it was checked
    _audit(gateway, "roll-back", by, release=release.version, was=newer.version)
    with numbered_last():
        for active in Operation.objects.of(body.subject).active():
            cancel_operation(active, by=by)
        _close_queue(gateway, release)
        steps = _going_back(release, newer)
        start_operation(kind=OperationKind.ROLL_BACK, subject=body.subject, steps=steps, by=by)
    return body


def _going_back(release: GatewayRelease, newer: GatewayRelease) -> list[StepSpec]:
    ended = step_spec(EARLIER_STEPS_ENDED, "Wait for what was running", "removal.ensure_earlier_steps_ended")
    planned = StepSpec(
        key=REPLACEMENT_PLANNED,
        title="See which nodes have to be exchanged",
        function="gateways.steps.ensure_replacement_planned",
        arguments={"release": release.version, "newer": newer.version},
        depends_on=(EARLIER_STEPS_ENDED,),
    )
    return [ended, planned]


def _close_queue(gateway: PrivateCloudGateway, release: GatewayRelease) -> None:
    """Until the last step opens it. Nobody else has the gateway's row."""
    hold_queue(gateway.pk)
    gateway.upgrading_to = release
    gateway.save(update_fields=["upgrading_to"])
    announce_subject(gateway.subject)


def _check_spare_address(body: Cluster) -> None:
    for pool in body.machine_pools.exclude(ip_pool=None).select_related("ip_pool"):
        assert pool.ip_pool is not None  # it is asked for
        usage = usage_of(pool.ip_pool)
        if usage.free + usage.resting < 1:
            raise Conflict(
                f"The IP pool {pool.ip_pool} has no free address, and a new node joins before an old one "
                "leaves. Add one address to the pool first."
            )


def _locked(gateway: PrivateCloudGateway) -> PrivateCloudGateway:
    rows = PrivateCloudGateway.objects.select_related("tenant", "release", "upgrading_to")
    return rows.select_for_update(of=("self",), no_key=True).get(pk=gateway.pk)


def _body(gateway: PrivateCloudGateway) -> Cluster | None:
    return Cluster.objects.gateway_bodies().filter(gateway=gateway).first()


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
