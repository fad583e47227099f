"""What a gateway's widget shows; the page and the stream render the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, F, Max, Min, Q, QuerySet
from django.utils import timezone

from clusters.actions.queue import Place, limit_of, lines_of
from clusters.models import Cluster, Machine
from clusters.states import ClusterHealth, MachineState
from clusters.troubles import longest_silence
from gateways.actions.delete import TOO_EARLY
from gateways.actions.reset import reset_reason
from gateways.actions.system import workers_are_silent
from gateways.models import GatewayRelease, PrivateCloudGateway
from gateways.releases import next_release, published_releases
from gateways.states import (
    GatewayState,
    check_configurable,
    check_deletable,
    check_renamable,
    check_resizable,
    reason_against_state,
)
from palette_portal.http import Conflict
from palette_portal.orchestration.models import OperationKind
from palette_portal.orchestration.progress import Progress, latest_progress
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, reason_against

BUSY = "Another operation on the gateway is running. Wait until it has ended."
ENDS_SOON = timedelta(days=30)


@dataclass(frozen=True)
class NodeCount:
    """`heard_at` is the oldest of the nodes' last reports: what the gateway's health hangs on."""

    ready: int = 0
    total: int = 0
    silent: int = 0
    heard_at: datetime | None = None
    kubelet_version: str = ""


@dataclass(frozen=True)
class GatewayCard:
    gateway: PrivateCloudGateway
    cluster: Cluster | None
    nodes: NodeCount
    progress: Progress | None
    # Why this person may not change gateways, empty if he may.
    denied: str
    # Clusters that wait for the gateway, in order.
    queue: Sequence[Place] = ()
    # A newer release that it can be upgraded to.
    upgrade_to: GatewayRelease | None = None

    @property
    def template(self) -> str:
        name = "_system_gateway_card" if self.gateway.is_system else "_gateway_card"
        return f"gateways/{name}.html"

    @property
    def key(self) -> str:
        return str(self.gateway.pk)

    @property
    def configure_reason(self) -> str:
        """Why Configure is not possible: rights first, then the gateway's state."""
        if self.denied:
            return self.denied
        try:
            check_configurable(self.gateway)
        except Conflict as conflict:
            return conflict.reason
        return ""

    @property
    def reset_reason(self) -> str:
        return self.denied or reset_reason(self.gateway, self.cluster)

    @property
    def rename_reason(self) -> str:
        return self.denied or reason_against_state(check_renamable, self.gateway)

    @property
    def resize_reason(self) -> str:
        is_busy = self.progress is not None and self.progress.operation.is_active
        return self.denied or reason_against_state(check_resizable, self.gateway) or (BUSY if is_busy else "")

    @property
    def delete_reason(self) -> str:
        return self.denied or reason_against_state(check_deletable, self.gateway)

    @property
    def anyway_reason(self) -> str:
        """Why the gateway cannot be removed without vCenter yet."""
        has_failed = self.progress is not None and any(shown.step.has_failed for shown in self.progress.steps)
        return self.denied or ("" if has_failed else TOO_EARLY)

    @property
    def shows_progress(self) -> bool:
        """Not the last steps of a provisioning whose gateway already takes clusters."""
        if self.progress is None or not self.progress.operation.is_active:
            return False
        is_provisioned = self.gateway.state == GatewayState.RUNNING
        return not (is_provisioned and self.progress.operation.kind == OperationKind.PROVISION)

    @property
    def heard_at(self) -> datetime | None:
        """From its nodes; before there are any, from the installer."""
        return self.nodes.heard_at or (None if self.cluster else self.gateway.last_heartbeat_at)

    @property
    def is_unhealthy(self) -> bool:
        if self.gateway.is_system:
            return workers_are_silent(self.gateway)
        return self.cluster is not None and self.cluster.health == ClusterHealth.UNHEALTHY

    @property
    def limit(self) -> int:
        return limit_of(self.gateway)

    @property
    def silence_minutes(self) -> int:
        return int(longest_silence().total_seconds() // 60)

    @property
    def certificates_expire_at(self) -> datetime | None:
        return getattr(self.cluster, "certificates_expire_at", None)

    @property
    def certificates_end_soon(self) -> bool:
        ends = self.certificates_expire_at
        return ends is not None and ends - timezone.now() < ENDS_SOON

    @property
    def shows_configure(self) -> bool:
        return self.gateway.state == GatewayState.PENDING

    @property
    def awaits_installer(self) -> bool:
        return not self.gateway.is_registered and not self.gateway.is_system

    @property
    def installer_may_go(self) -> bool:
        return self.gateway.state == GatewayState.RUNNING


def gateway_cards(user: User) -> list[GatewayCard]:
    gateways = (
        PrivateCloudGateway.objects.visible_to(user)
        .present()
        .system_last()
        .select_related("release", "upgrading_to")
    )
    return _cards(gateways, reason_against(user, Permission.MANAGE_GATEWAYS))


def gateway_card(user: User, gateway: PrivateCloudGateway) -> GatewayCard:
    return _cards([gateway], reason_against(user, Permission.MANAGE_GATEWAYS))[0]


def card_for_stream(gateway: PrivateCloudGateway, *, denied: str) -> GatewayCard:
    return _cards([gateway], denied)[0]


def cards_for_stream(gateways: QuerySet[PrivateCloudGateway], *, denied: str) -> list[GatewayCard]:
    return _cards(gateways, denied)


def _cards(
    gateways: Sequence[PrivateCloudGateway] | QuerySet[PrivateCloudGateway], denied: str
) -> list[GatewayCard]:
    bodies = Cluster.objects.gateway_bodies().filter(gateway__in=[gateway.pk for gateway in gateways])
    bodies = bodies.annotate(certificates_expire_at=F("secrets__certificates_expire_at"))
    body_of = {cluster.gateway_id: cluster for cluster in bodies}
    nodes_of = _count_nodes(bodies)
    progress_of = latest_progress("cluster", [cluster.pk for cluster in body_of.values()])
    lines = lines_of([gateway.pk for gateway in gateways])
    releases = published_releases() if body_of else []
    cards = []
    for gateway in gateways:
        cluster = body_of.get(gateway.pk)
        cards.append(
            GatewayCard(
                gateway=gateway,
                cluster=cluster,
                nodes=nodes_of.get(cluster.pk, NodeCount()) if cluster else NodeCount(),
                progress=progress_of.get(cluster.pk) if cluster else None,
                denied=denied,
                queue=lines.get(gateway.pk, ()),
                upgrade_to=next_release(gateway, releases),
            )
        )
    return cards


def _count_nodes(clusters: QuerySet[Cluster]) -> dict[UUID, NodeCount]:
    machines = Machine.objects.present().filter(cluster__in=clusters).values("cluster").order_by()
    running, silent_since = Q(state=MachineState.RUNNING), timezone.now() - longest_silence()
    counted = machines.annotate(
        total=Count("pk"),
        ready=Count("pk", filter=running),
        silent=Count("pk", filter=running & Q(last_report_at__lt=silent_since)),
        heard_at=Min("last_report_at"),
        kubelet_version=Max("kubelet_version"),
    )
    return {
        row["cluster"]: NodeCount(
            ready=row["ready"],
            total=row["total"],
            silent=row["silent"],
            heard_at=row["heard_at"],
            kubelet_version=row["kubelet_version"],
        )
        for row in counted
    }
