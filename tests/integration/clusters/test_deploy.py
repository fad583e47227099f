"""Deploying a cluster of a project: rows, operation, audit; and everything that speaks against it."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from clusters.actions.deploy import deploy_cluster
from clusters.actions.provision import (
    Autoscaling,
    ClusterRequest,
    LayerRequest,
    PlacementRequest,
    PoolRequest,
)
from clusters.models import AddressAllocation, Cluster, ClusterPurpose, PoolRole, RollingUpdate
from clusters.profiles.models import ClusterProfile, LayerKind, ProfileVersion
from gateways.models import Availability, PrivateCloudGateway
from gateways.states import GatewayState
from ippools.actions import PoolExhausted, claim_addresses
from ippools.models import IPAddressClaim, IPPool
from palette_portal.bootstrap.nodes import Taint, TaintEffect
from palette_portal.http import Conflict
from palette_portal.orchestration.models import Operation
from palette_portal.tenants.models import AuditRow, User
from palette_portal.tenants.permissions import Denied
from palette_portal.tenants.roles import Role
from tests.factories import (
    amelia,
    bao,
    make_cloud_account,
    make_gateway,
    make_pool,
    make_project,
    make_tenant,
    make_user,
)
from tests.integration.ippools.asking import wanted
from tests.integration.orchestration.parallel import in_other_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def gateway() -> PrivateCloudGateway:
    return make_gateway(state=GatewayState.RUNNING)


@pytest.fixture
def editor() -> User:
    return bao()


@pytest.fixture
def request_(gateway: PrivateCloudGateway, editor: User) -> ClusterRequest:
    """Three masters and two workers in three zones, both on one IP pool of 10 addresses."""
    ip_pool = make_pool(gateway, start="10.10.183.20", end="10.10.183.29")
    zones = tuple(make_placement(zone) for zone in ("zone-a", "zone-b", "zone-c"))
    masters = PoolRequest("master-pool", PoolRole.CONTROL_PLANE, 3, 4, 8192, 60, zones, ip_pool)
    workers = PoolRequest("workers", PoolRole.WORKER, 2, 4, 8192, 80, zones, ip_pool)
    return ClusterRequest(
        name="shop",
        purpose=ClusterPurpose.TENANT,
        gateway=gateway,
        cloud_account=make_cloud_account(gateway),
        kubernetes_version="1.31.2",
        image_template="u-2204-k-1312",
        image_url="https://images.example.com/u-2204-k-1312.ova",
        datacenter_moid="datacenter-2",
        datacenter_name="dc-1",
        folder_moid="group-v3",
        folder_name="clusters",
        has_own_folder=True,
        region="europe",
        search_domain="shop.example.com",
        address_allocation=AddressAllocation.STATIC,
        pools=(masters, workers),
        project=make_project(),
        description="The shop.",
        tags=("team:payments", "production"),
        profile_version=make_profile_version(),
        layers=(
            LayerRequest(LayerKind.OS, "ubuntu", "22.04"),
            LayerRequest(LayerKind.NETWORK, "calico", "3"),
        ),
        variables={"PASSWORD": "hunter2"},
    )


def make_placement(zone: str) -> PlacementRequest:
    return PlacementRequest("domain-c1", zone, "resgroup-1", "p", "datastore-1", "d", "network-1", "n", zone)


def make_profile_version(**changes: Any) -> ProfileVersion:
    profile = ClusterProfile.objects.create(tenant=make_tenant(), name="starter")
    values = {"version": "1.0.0", "rank": 10**12, "published_at": timezone.now(), **changes}
    return ProfileVersion.objects.create(profile=profile, **values)


def test_deployed_cluster_has_what_was_asked_for(request_: ClusterRequest, editor: User) -> None:
    cluster = deploy_cluster(request=request_, by=editor)

    cluster.refresh_from_db()
    assert (cluster.state, cluster.project, cluster.created_by) == ("Provisioning", make_project(), editor)
    assert (cluster.description, cluster.tags) == ("The shop.", ["team:payments", "production"])
    assert (cluster.region, cluster.search_domain) == ("europe", "shop.example.com")
    assert cluster.image_url == request_.image_url and cluster.has_own_folder
    assert [(layer.position, layer.pack) for layer in cluster.layers.all()] == [(1, "ubuntu"), (2, "calico")]
    assert cluster.secrets.variables == '{"PASSWORD": "hunter2"}' and cluster.secrets.pki == ""
    assert Operation.objects.of(cluster.subject).get().requested_by == editor


def test_machines_of_a_pool_are_spread_over_its_zones(request_: ClusterRequest, editor: User) -> None:
    cluster = deploy_cluster(request=request_, by=editor)

    placed = cluster.machines.order_by("pool__role", "index").values_list("name", "placement__zone")
    assert list(placed) == [
        ("shop-cp-1", "zone-a"),
        ("shop-cp-2", "zone-b"),
        ("shop-cp-3", "zone-c"),
        ("shop-workers-1", "zone-a"),
        ("shop-workers-2", "zone-b"),
    ]


def test_pool_keeps_its_labels_taints_and_limits(request_: ClusterRequest, editor: User) -> None:
    workers = replace(
        request_.pools[1],
        labels={"tier": "web"},
        taints=(Taint("gpu", "yes", TaintEffect.NO_SCHEDULE),),
        autoscaling=Autoscaling(1, 3),
        rolling_update=RollingUpdate.CONTRACT_FIRST,
        instance_type="medium",
    )
    masters = replace(request_.pools[0], takes_workloads=False)

    cluster = deploy_cluster(request=replace(request_, pools=(masters, workers)), by=editor)

    pool = cluster.machine_pools.get(name="workers")
    assert (pool.labels, pool.instance_type) == ({"tier": "web"}, "medium")
    assert pool.taints == [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]
    assert (pool.autoscales, pool.minimum_size, pool.maximum_size) == (True, 1, 3)
    assert (pool.surge, pool.unavailable) == (0, 1)
    assert not cluster.machine_pools.get(name="master-pool").takes_workloads


def test_deploying_is_audited(request_: ClusterRequest, editor: User) -> None:
    cluster = deploy_cluster(request=request_, by=editor)

    row = AuditRow.objects.get(object_id=str(cluster.pk))
    assert (row.action, row.user, row.project) == ("deploy", editor, make_project())
    assert row.detail["nodes"] == 5 and "hunter2" not in str(row.detail)


def test_pools_share_the_room_of_their_ip_pool(request_: ClusterRequest, editor: User) -> None:
    masters, workers = request_.pools
    fitting = replace(workers, autoscaling=Autoscaling(1, 4))  # 5 for the masters, 5 for the workers
    growing = replace(workers, autoscaling=Autoscaling(1, 5))

    deploy_cluster(request=replace(request_, pools=(masters, fitting)), by=editor)

    with pytest.raises(PoolExhausted, match="11 are needed: 8 for nodes, 1 for the virtual IP and 2 extra"):
        deploy_cluster(request=replace(request_, name="other", pools=(masters, growing)), by=editor)


def test_name_can_be_used_once_in_a_project(request_: ClusterRequest, editor: User) -> None:
    deploy_cluster(request=request_, by=editor)

    with pytest.raises(Conflict, match="has a cluster shop already"):
        deploy_cluster(request=request_, by=editor)


def test_viewer_and_stranger_cannot_deploy(request_: ClusterRequest) -> None:
    viewer = make_user("victor", Role.PROJECT_VIEWER, project=make_project())
    elsewhere = make_user("eve", Role.PROJECT_EDITOR, project=make_project(name="other"))

    for user in (viewer, elsewhere):
        with pytest.raises(Denied, match="deploy clusters"):
            deploy_cluster(request=request_, by=user)

    assert not Cluster.objects.exists()


def test_gateway_has_to_be_running(request_: ClusterRequest) -> None:
    PrivateCloudGateway.objects.update(state=GatewayState.ERROR)

    with pytest.raises(Conflict, match="is Error; clusters need one that is Running"):
        deploy_cluster(request=request_, by=amelia())


def test_draft_of_a_profile_cannot_be_deployed(request_: ClusterRequest, editor: User) -> None:
    assert request_.profile_version is not None
    profile = request_.profile_version.profile
    draft = ProfileVersion.objects.create(profile=profile, version="1.1.0", rank=10**12 + 10**6)

    with pytest.raises(Conflict, match="is a draft: publish it first"):
        deploy_cluster(request=replace(request_, profile_version=draft), by=editor)


def test_profile_of_another_project_is_refused(request_: ClusterRequest, editor: User) -> None:
    ClusterProfile.objects.update(project=make_project(name="other"))

    with pytest.raises(Conflict, match="may not use the cluster profile"):
        deploy_cluster(request=request_, by=editor)


def test_account_that_the_project_was_not_given_is_refused(request_: ClusterRequest, editor: User) -> None:
    account = request_.cloud_account
    account.availability = Availability.NONE
    account.save()

    with pytest.raises(Conflict, match="may not use the cloud account"):
        deploy_cluster(request=request_, by=editor)


def test_account_behind_another_gateway_is_refused(request_: ClusterRequest, editor: User) -> None:
    elsewhere = make_cloud_account(make_gateway(state=GatewayState.RUNNING))

    with pytest.raises(Conflict, match="reached through another gateway"):
        deploy_cluster(request=replace(request_, cloud_account=elsewhere), by=editor)


def test_ip_pool_of_another_gateway_is_refused(request_: ClusterRequest, editor: User) -> None:
    masters = replace(request_.pools[0], ip_pool=make_pool(make_gateway(state=GatewayState.RUNNING)))

    with pytest.raises(Conflict, match="belongs to another gateway"):
        deploy_cluster(request=replace(request_, pools=(masters,)), by=editor)


@pytest.mark.parametrize(
    ("masters", "workers", "sentence"),
    [
        ({"size": 2}, {}, "1, 3 or 5 nodes"),
        ({"takes_workloads": False}, None, "allow the master pool to take workloads"),
        ({}, {"name": "master-pool"}, "a name of its own"),
        ({}, {"placements": ()}, "one availability zone"),
        ({}, {"rolling_update": RollingUpdate.CUSTOM, "surge": 0}, "neither surge nor unavailable"),
        ({"autoscaling": Autoscaling(1, 3)}, {}, "cannot scale by itself"),
        ({}, {"autoscaling": Autoscaling(3, 5)}, "between its minimum and its maximum"),
    ],
)
def test_pools_that_cannot_be_are_refused(
    request_: ClusterRequest,
    editor: User,
    masters: dict[str, Any],
    workers: dict[str, Any] | None,
    sentence: str,
) -> None:
    pools = [replace(request_.pools[0], **masters)]
    if workers is not None:
        pools.append(replace(request_.pools[1], **workers))

    with pytest.raises(Conflict, match=sentence):
        deploy_cluster(request=replace(request_, pools=tuple(pools)), by=editor)


@pytest.mark.django_db(transaction=True)
def test_claims_do_not_wait_for_a_deployment_through_their_gateway(
    request_: ClusterRequest, editor: User
) -> None:
    """They hold the row of their pool, which a deployment may want next: to wait would be a deadlock."""
    pool = make_pool(request_.gateway, start="10.10.184.20", end="10.10.184.29")

    with transaction.atomic():
        deploy_cluster(request=request_, by=editor)
        claims = in_other_session(lambda: claim_two_at_once(pool))

    assert [claim.address for claim in claims] == ["10.10.184.20", "10.10.184.21"]


@transaction.atomic
def claim_two_at_once(pool: IPPool) -> list[IPAddressClaim]:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '2s'")
    return claim_addresses(wanted(pool, 2), cluster_id=uuid4())
