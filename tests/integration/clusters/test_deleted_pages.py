"""Cluster Details of a cluster that is gone: nothing is said of it as if it were there."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clusters.models import Cluster, ClusterLayer
from clusters.states import ClusterState
from palette_portal.tenants.models import User
from palette_portal.tenants.roles import Role
from tests.factories import make_cluster, make_machine, make_machine_pool, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project_admin() -> User:
    return make_user("pia", Role.PROJECT_ADMIN, project=make_project())


def page_of(client: Client, cluster: Cluster, name: str = "detail") -> str:
    return client.get(reverse(f"clusters:{name}", args=[cluster.pk])).content.decode()


def make_deleted(**fields) -> Cluster:
    now = timezone.now()
    facts = {"endpoint_host": "10.10.183.20", "running_at": now}
    cluster = make_cluster(project=make_project(), name="shop", state=ClusterState.RUNNING, **facts)
    make_machine(make_machine_pool(cluster))
    ClusterLayer.objects.create(
        cluster=cluster, kind="network", pack="calico", pack_version="3.30.0", position=1, applied_at=now
    )
    cluster.machines.update(state="Deleted")
    values = {"state": ClusterState.DELETED, "deleted_at": now, "cloud_account": None, **fields}
    Cluster.objects.filter(pk=cluster.pk).update(**values)
    return cluster


def test_overview_of_a_deleted_cluster_speaks_of_the_past(client: Client, project_admin: User) -> None:
    client.force_login(project_admin)

    page = page_of(client, make_deleted())

    assert 'It was <span class="mono">10.10.183.20:6443</span>' in page
    assert "Copy API endpoint" not in page and "Kubeconfig" not in page
    assert "Was applied" in page and ">Applied<" not in page
    assert '<dt>Certificates</dt><dd><span class="dim">None any more</span>' in page
    assert "None in the portal any more" in page
    for made in ("ImageResolutionDone", "CloudInfrastructureReady", "KubeConfigReady", "BootstrappingDone"):
        assert made not in page


def test_overview_of_an_aborted_cluster_names_nothing_that_never_was(
    client: Client, project_admin: User
) -> None:
    client.force_login(project_admin)
    cluster = make_deleted(running_at=None, endpoint_host="")
    cluster.layers.update(applied_at=None)

    page = page_of(client, cluster)

    assert "It never had one" in page
    assert "Not finished" in page and "Was applied" not in page


def test_nodes_and_settings_of_a_deleted_cluster_offer_no_change(client: Client, project_admin: User) -> None:
    client.force_login(project_admin)
    cluster = make_deleted()

    nodes, settings = (page_of(client, cluster, name) for name in ("nodes", "settings"))

    assert "Was planned with 1 node" in nodes and "not in the portal any more" in nodes
    assert "Add a worker pool" not in nodes and "Actions for" not in nodes
    assert "Broken nodes" not in settings
    assert "<dt>Deleted</dt>" in settings
