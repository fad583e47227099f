"""Open pages show when a gateway was last heard of; clusters.actions.health judges what silence means."""

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from clusters.models import Cluster
from clusters.states import ClusterState
from clusters.troubles import longest_silence
from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.orchestration.actions import announce_subject


@transaction.atomic
def show_heartbeats() -> None:
    """Called by a schedule. A heartbeat changes only a time, so that open pages are told now and then."""
    for cluster in Cluster.objects.gateway_bodies().filter(state=ClusterState.RUNNING):
        announce_subject(cluster.subject)
    without_body = PrivateCloudGateway.objects.filter(Q(state=GatewayState.PENDING) | Q(is_system=True))
    for gateway in without_body.filter(last_heartbeat_at__gt=timezone.now() - longest_silence()):
        announce_subject(gateway.subject)
