"""The dialogs of a gateway ask the database as often for three nodes and many clusters as for one."""

import pytest
from django.test import Client
from django.urls import reverse

from clusters.models import Cluster
from clusters.states import ClusterState
from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from tests.factories import (
    amelia,
    make_cluster,
    make_gateway,
    make_machine,
    make_machine_pool,
    make_pool,
    make_project,
)

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
# What each asks today, with the session, the person and its roles.
DIALOGS = [
    ("reset", GatewayState.PROVISIONING, ClusterState.PROVISIONING, 7),
    ("delete", GatewayState.RUNNING, ClusterState.RUNNING, 9),
    ("rename", GatewayState.RUNNING, ClusterState.RUNNING, 7),
]


def make_body(state: GatewayState, body_state: ClusterState, *, nodes: int) -> Cluster:
    body = make_cluster(make_gateway(state=state), state=body_state)
    pool = make_machine_pool(body)
    for index in range(1, nodes + 1):
        make_machine(pool, index=index)
    for _ in range(nodes):
        make_pool(body.gateway)
    return body


def url(gateway: PrivateCloudGateway, name: str) -> str:
    return reverse(f"gateways:{name}", args=[gateway.pk])


@pytest.mark.parametrize(("name", "state", "body_state", "limit"), DIALOGS)
def test_dialog_asks_as_often_for_many_nodes_as_for_one(
    client: Client, django_assert_max_num_queries, name, state, body_state, limit
) -> None:
    client.force_login(amelia())
    small = make_body(state, body_state, nodes=1)
    large = make_body(state, body_state, nodes=5)

    with django_assert_max_num_queries(limit) as few:
        assert client.get(url(small.gateway, name), headers=HTMX).status_code == 200
    with django_assert_max_num_queries(len(few)):
        page = client.get(url(large.gateway, name), headers=HTMX).content.decode()

    assert large.gateway.name in page


def test_refused_deletion_asks_as_often_for_many_clusters_as_for_one(
    client: Client, django_assert_max_num_queries
) -> None:
    admin = amelia()
    client.force_login(admin)
    gateways = [make_gateway(state=GatewayState.RUNNING) for _ in range(2)]
    for gateway, count in zip(gateways, (1, 6), strict=True):
        for number in range(count):
            project = make_project(admin.tenant, name=f"project-{number}")
            make_cluster(
                gateway, name=f"{gateway.name}-{number}", project=project, state=ClusterState.RUNNING
            )

    with django_assert_max_num_queries(9) as few:
        assert client.get(url(gateways[0], "delete"), headers=HTMX).status_code == 409
    with django_assert_max_num_queries(len(few)):
        page = client.get(url(gateways[1], "delete"), headers=HTMX).content.decode()

    assert page.count("/clusters/") == 6
