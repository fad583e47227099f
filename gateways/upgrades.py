"""What an admin reads before an upgrade: from what to what, what happens, and how long it may take."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q

from clusters.models import Cluster, ClusterPurpose, Machine
from clusters.states import ClusterState
from gateways.actions.replacement import CLONED
from gateways.models import GatewayRelease, PrivateCloudGateway
from palette_portal.orchestration.models import Operation, OperationKind, OperationState

# Clone, boot, join, drain and removal of one node, when nobody has measured it here.
MINUTES_PER_NODE = 10
REMEMBERED_UPGRADES = 5


@dataclass(frozen=True)
class Estimate:
    minutes: int
    # How many earlier upgrades it was measured from; 0 = a rule of thumb.
    measured: int


@dataclass(frozen=True)
class Review:
    gateway: PrivateCloudGateway
    release: GatewayRelease
    nodes: tuple[Machine, ...]
    clusters: int
    estimate: Estimate

    @property
    def is_single(self) -> bool:
        return len(self.nodes) == 1


def review_upgrade(gateway: PrivateCloudGateway, body: Cluster, release: GatewayRelease) -> Review:
    nodes = tuple(Machine.objects.present().filter(cluster=body).order_by("index"))
    used = Cluster.objects.present().filter(gateway=gateway, purpose=ClusterPurpose.TENANT)
    running = used.filter(state=ClusterState.RUNNING).count()
    return Review(gateway, release, nodes, running, estimate_upgrade(gateway, len(nodes)))


def estimate_upgrade(gateway: PrivateCloudGateway, nodes: int) -> Estimate:
    """From the tenant's last upgrades that succeeded, by the number of nodes that they exchanged."""
    exchanged = Count("steps", filter=Q(steps__function=CLONED))
    upgrades = Operation.objects.filter(
        tenant_id=gateway.tenant_id, kind=OperationKind.UPGRADE, state=OperationState.SUCCEEDED
    )
    rows = upgrades.annotate(nodes=exchanged).filter(nodes__gt=0).order_by("-finished_at")
    times = rows.values_list("started_at", "finished_at", "nodes")[:REMEMBERED_UPGRADES]
    measured = [(end - start, count) for start, end, count in times if start and end]
    if not measured:
        return Estimate(MINUTES_PER_NODE * nodes, 0)
    spent = sum((time for time, _ in measured), timedelta())
    per_node = spent / sum(count for _, count in measured)
    return Estimate(max(1, round(per_node * nodes / timedelta(minutes=1))), len(measured))
