"""A gateway is as healthy as its nodes' reports are fresh: silent too long is Unhealthy, and told once."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from clusters.models import Cluster, Machine
from clusters.states import ClusterHealth, ClusterState, MachineState
from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.orchestration.actions import announce_subject, record_event
from palette_portal.orchestration.models import Severity

_watching_since: datetime | None = None


def watch_gateways() -> None:
    """Called by a schedule. While the portal was down nobody could report: silence counts from its start."""
    global _watching_since
    _watching_since = _watching_since or timezone.now()
    judge_gateways(watching_since=_watching_since)


def judge_gateways(*, watching_since: datetime) -> None:
    running = Cluster.objects.gateway_bodies().filter(state=ClusterState.RUNNING)
    for cluster in running.select_related("gateway").prefetch_related("machines"):
        nodes = [machine for machine in cluster.machines.all() if machine.state == MachineState.RUNNING]
        silent = [node for node in nodes if _is_silent(node, max(watching_since, _last_heard(node)))]
        if silent:
            _become(cluster, ClusterHealth.UNHEALTHY, silent)
        elif nodes and not any(_is_silent(node, _last_heard(node)) for node in nodes):
            _become(cluster, ClusterHealth.HEALTHY, nodes)


@transaction.atomic
def show_heartbeats() -> None:
    """Called by a schedule. A heartbeat changes only a time, so that open pages are told now and then."""
    for cluster in Cluster.objects.gateway_bodies().filter(state=ClusterState.RUNNING):
        announce_subject(cluster.subject)
    pending = PrivateCloudGateway.objects.filter(state=GatewayState.PENDING)
    for gateway in pending.filter(last_heartbeat_at__gt=timezone.now() - longest_silence()):
        announce_subject(gateway.subject)


def longest_silence() -> timedelta:
    return timedelta(minutes=settings.GATEWAY_SILENCE_MINUTES)


def _last_heard(node: Machine) -> datetime:
    return node.last_report_at or node.running_at or node.created_at


def _is_silent(node: Machine, heard_at: datetime) -> bool:
    return timezone.now() - heard_at > longest_silence()


@transaction.atomic
def _become(cluster: Cluster, health: ClusterHealth, nodes: list[Machine]) -> None:
    """With the old health in the WHERE: whoever is second tells nothing."""
    before = cluster.health
    rows = Cluster.objects.filter(pk=cluster.pk, health=before, state=ClusterState.RUNNING)
    if before == health or not rows.update(health=health):
        return
    if health == ClusterHealth.UNHEALTHY:
        _tell(cluster, Severity.ERROR, "GatewayUnhealthy", _silence(nodes))
    elif before == ClusterHealth.UNHEALTHY:
        _tell(cluster, Severity.INFO, "GatewayHealthy", f"All nodes of {cluster.gateway} report again.")


def _silence(nodes: list[Machine]) -> str:
    heard = ", ".join(f"{node.name} (last at {_last_heard(node):%Y-%m-%d %H:%M} UTC)" for node in nodes)
    return (
        f"No report for {settings.GATEWAY_SILENCE_MINUTES} minutes from {heard}. "
        f"Check in vCenter that it runs, and that it reaches {settings.PUBLIC_URL}."
    )


def _tell(cluster: Cluster, severity: Severity, reason: str, message: str) -> None:
    record_event(
        subject=cluster.subject,
        severity=severity,
        reason=reason,
        message=message,
        object_kind="gateway",
        object_name=cluster.gateway.name,
    )
