"""Silence of a node for ten minutes is Unhealthy, told once; its next report is told too."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from clusters.actions import health
from clusters.actions.health import judge_clusters, watch_clusters
from clusters.actions.reports import Report, record_report
from clusters.models import Cluster, ClusterSecrets, Machine
from clusters.states import ClusterHealth, ClusterState, MachineState
from gateways.actions import health as heartbeats
from gateways.actions.health import show_heartbeats
from gateways.states import GatewayState
from palette_portal.orchestration.models import Event, Severity
from tests.factories import amelia, make_cluster, make_gateway, make_machine, make_machine_pool, make_release

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=1)


@pytest.fixture
def cluster() -> Cluster:
    gateway = make_gateway(name="dc-east", state=GatewayState.RUNNING, release=make_release())
    cluster = make_cluster(gateway, state=ClusterState.RUNNING, health=ClusterHealth.HEALTHY)
    pool = make_machine_pool(cluster, size=3)
    for index in (1, 2, 3):
        make_machine(
            pool,
            index=index,
            name=f"dc-east-cp-{index}",
            state=MachineState.RUNNING,
            last_report_at=timezone.now() - timedelta(minutes=1),
            kubelet_version="v1.31.2",
        )
    return cluster


def silence(cluster: Cluster, index: int, **ago: int) -> Machine:
    machine = cluster.machines.get(index=index)
    Machine.objects.filter(pk=machine.pk).update(last_report_at=timezone.now() - timedelta(**ago))
    return machine


def judge(cluster: Cluster) -> str:
    judge_clusters(watching_since=timezone.now() - LONG_AGO)
    cluster.refresh_from_db()
    return cluster.health


def told(cluster: Cluster, reason: str) -> list[Event]:
    return list(Event.objects.of(cluster.subject).filter(reason=reason))


def test_all_nodes_report(cluster: Cluster) -> None:
    silence(cluster, 2, minutes=9)

    assert judge(cluster) == ClusterHealth.HEALTHY
    assert not Event.objects.of(cluster.subject).exists()


def test_silent_node_is_told_once(cluster: Cluster) -> None:
    silence(cluster, 2, minutes=11)

    assert judge(cluster) == ClusterHealth.UNHEALTHY
    assert judge(cluster) == ClusterHealth.UNHEALTHY

    (event,) = told(cluster, "GatewayUnhealthy")
    assert event.severity == Severity.ERROR
    assert "dc-east-cp-2" in event.message and "dc-east-cp-1" not in event.message


def test_heartbeat_of_the_silent_node_is_told_once(cluster: Cluster) -> None:
    machine = silence(cluster, 2, minutes=11)
    judge(cluster)

    record_report(machine=machine, report=Report("heartbeat"))

    assert judge(cluster) == judge(cluster) == ClusterHealth.HEALTHY
    assert len(told(cluster, "GatewayHealthy")) == 1


def test_one_of_two_silent_nodes_comes_back(cluster: Cluster) -> None:
    first = silence(cluster, 1, minutes=11)
    silence(cluster, 2, minutes=11)
    judge(cluster)

    record_report(machine=first, report=Report("heartbeat"))

    assert judge(cluster) == ClusterHealth.UNHEALTHY
    assert told(cluster, "GatewayHealthy") == []


def test_silence_is_a_setting(cluster: Cluster, settings) -> None:
    settings.GATEWAY_SILENCE_MINUTES = 2
    silence(cluster, 2, minutes=3)

    assert judge(cluster) == ClusterHealth.UNHEALTHY


def test_portal_that_was_down_gives_nodes_time_to_report(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_watching_since", None)
    silence(cluster, 2, hours=3)

    watch_clusters()

    cluster.refresh_from_db()
    assert cluster.health == ClusterHealth.HEALTHY
    monkeypatch.setattr(health, "_watching_since", timezone.now() - timedelta(minutes=11))
    watch_clusters()
    cluster.refresh_from_db()
    assert cluster.health == ClusterHealth.UNHEALTHY


def test_portal_that_was_down_does_not_call_a_silent_node_well(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence(cluster, 2, hours=3)
    judge(cluster)
    monkeypatch.setattr(health, "_watching_since", None)

    watch_clusters()

    cluster.refresh_from_db()
    assert cluster.health == ClusterHealth.UNHEALTHY


@pytest.mark.parametrize("state", [ClusterState.PROVISIONING, ClusterState.DELETING])
def test_cluster_that_comes_or_goes_is_not_judged(cluster: Cluster, state: ClusterState) -> None:
    Cluster.objects.filter(pk=cluster.pk).update(state=state)
    silence(cluster, 2, minutes=11)

    assert judge(cluster) == ClusterHealth.HEALTHY


@pytest.mark.parametrize(
    "name", ["clusters.actions.health.watch_clusters", "gateways.actions.health.show_heartbeats"]
)
def test_schedules_call_it(settings, name: str) -> None:
    assert name in settings.ORCHESTRATION_SCHEDULES


def test_open_pages_are_told_of_heartbeats(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    told_of = []
    monkeypatch.setattr(heartbeats, "announce_subject", told_of.append)
    arrived = make_gateway(last_heartbeat_at=timezone.now())
    make_gateway(last_heartbeat_at=timezone.now() - LONG_AGO)
    make_gateway(registered=False)

    show_heartbeats()

    assert [subject.id for subject in told_of] == [cluster.pk, arrived.pk]


def test_widget_shows_versions_heartbeat_and_certificates(client: Client, cluster: Cluster) -> None:
    client.force_login(amelia())
    silence(cluster, 2, minutes=11)
    expire_at = timezone.now() + timedelta(days=20)
    ClusterSecrets.objects.create(
        cluster=cluster, pki="p", admin_kubeconfig="k", bootstrap_token="t", certificates_expire_at=expire_at
    )
    judge(cluster)

    page = client.get("/gateways/").content.decode()
    details = client.get(f"/clusters/{cluster.pk}/").content.decode()

    assert "Unhealthy" in page and "1 of 3 nodes is silent for more than 10 minutes" in page
    assert "1.0.0" in page and "kubelet v1.31.2" in page
    until = f"until {expire_at.day} {expire_at:%b %Y}"
    assert until in page and "Ends soon" in page
    assert until in details and "Unhealthy" in details
    oldest = cluster.machines.get(index=2).last_report_at
    assert oldest.isoformat() in page


def test_widget_before_there_are_nodes_shows_the_installers_heartbeat(client: Client) -> None:
    client.force_login(amelia())
    gateway = make_gateway(last_heartbeat_at=timezone.now() - timedelta(seconds=20))

    assert gateway.last_heartbeat_at.isoformat() in client.get("/gateways/").content.decode()
