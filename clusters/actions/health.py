"""A cluster is as healthy as its machines: one that is off, gone or silent makes it Unhealthy, told once."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from clusters.models import Cluster, ClusterPurpose, Machine
from clusters.states import ClusterHealth, ClusterState
from clusters.troubles import has_recovered, should_run, trouble_of
from palette_portal.orchestration.actions import announce_subject, record_event
from palette_portal.orchestration.models import Severity

_watching_since: datetime | None = None


def watch_clusters() -> None:
    """Called by a schedule. While the portal was down nobody could report: silence counts from its start."""
    judge_clusters(watching_since=watching_since())


def watching_since() -> datetime:
    global _watching_since
    _watching_since = _watching_since or timezone.now()
    return _watching_since


def judge_clusters(*, watching_since: datetime) -> None:
    running = Cluster.objects.filter(state=ClusterState.RUNNING)
    for cluster in running.select_related("gateway").prefetch_related("machines").iterator(chunk_size=200):
        judge_cluster(cluster, list(cluster.machines.all()), watching_since=watching_since)


def judge_cluster(cluster: Cluster, machines: Sequence[Machine], *, watching_since: datetime) -> None:
    expected = [machine for machine in machines if should_run(machine)]
    troubles = {machine: trouble_of(machine, watching_since=watching_since) for machine in expected}
    problems = [trouble for trouble in troubles.values() if trouble]
    _note_since(troubles)
    if problems:
        _become(cluster, ClusterHealth.UNHEALTHY, problems)
    elif expected and has_recovered(expected):
        _become(cluster, ClusterHealth.HEALTHY, [])


def _note_since(troubles: Mapping[Machine, str]) -> None:
    """How long each has been in trouble; most of the time nothing changes."""
    now = timezone.now()
    begun = [machine.pk for machine, trouble in troubles.items() if trouble and not machine.troubled_since]
    over = [machine.pk for machine, trouble in troubles.items() if not trouble and machine.troubled_since]
    for ids, since in ((begun, now), (over, None)):
        if ids:
            Machine.objects.filter(pk__in=ids).update(troubled_since=since)


@transaction.atomic
def _become(cluster: Cluster, health: ClusterHealth, problems: list[str]) -> None:
    """With what was known in the WHERE: whoever is second tells nothing."""
    before, known = cluster.health, cluster.health_problems
    rows = Cluster.objects.filter(
        pk=cluster.pk, health=before, health_problems=known, state=ClusterState.RUNNING
    )
    if (before, known) == (health, problems) or not rows.update(health=health, health_problems=problems):
        return
    cluster.health, cluster.health_problems = health, problems
    announce_subject(cluster.subject)
    if news := [problem for problem in problems if problem not in known]:
        _tell(cluster, Severity.ERROR, "Unhealthy", " ".join(news))
    elif before == ClusterHealth.UNHEALTHY and health == ClusterHealth.HEALTHY:
        _tell(cluster, Severity.INFO, "Healthy", f"All nodes of {cluster} run and report again.")


def _tell(cluster: Cluster, severity: Severity, word: str, message: str) -> None:
    is_gateway = cluster.purpose == ClusterPurpose.GATEWAY
    record_event(
        subject=cluster.subject,
        severity=severity,
        reason=f"{'Gateway' if is_gateway else 'Cluster'}{word}",
        message=message,
        object_kind="gateway" if is_gateway else "cluster",
        object_name=cluster.gateway.name if is_gateway else cluster.name,
    )
