"""What the database refuses, whatever the code does."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from clusters.models import AddressAllocation, Cluster, ClusterAddOn, ClusterPurpose, PoolRole
from clusters.states import ClusterState, MachineState
from tests.factories import make_cluster, make_gateway, make_machine, make_machine_pool, make_project
from tests.integration.clusters.listed import make_profile

pytestmark = pytest.mark.django_db


def refuses(constraint, work):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        work()


def test_gateway_cluster_has_no_project():
    cluster = make_cluster()

    def work():
        Cluster.objects.filter(pk=cluster.pk).update(project=make_project(cluster.tenant))

    refuses("cluster_project_unless_gateway", work)


def test_tenant_cluster_has_a_project():
    cluster = make_cluster()

    def work():
        Cluster.objects.filter(pk=cluster.pk).update(purpose=ClusterPurpose.TENANT)

    refuses("cluster_project_unless_gateway", work)


def test_gateway_has_one_body():
    gateway = make_gateway()
    make_cluster(gateway, name="one")

    refuses("cluster_one_body_per_gateway", lambda: make_cluster(gateway, name="two"))


def test_gateway_may_get_a_new_body_when_the_old_one_is_deleted():
    gateway = make_gateway()
    make_cluster(gateway, state=ClusterState.DELETED, deleted_at=timezone.now())

    assert make_cluster(gateway).state == ClusterState.PENDING


def test_cluster_name_is_unique_in_its_scope():
    make_cluster(name="gw")

    refuses("cluster_name_unique_in_scope", lambda: make_cluster(make_gateway(), name="gw"))


def attach(cluster, version, *, position=1, **fields):
    values = {"profile": version.profile, **fields}
    return ClusterAddOn.objects.create(cluster=cluster, version=version, position=position, **values)


def test_cluster_has_an_add_on_profile_in_one_version():
    cluster = make_cluster()
    attach(cluster, make_profile("monitoring", "1.0.0"))

    refuses(
        "cluster_add_on_profile_once",
        lambda: attach(cluster, make_profile("monitoring", "1.1.0"), position=2),
    )


def test_add_on_profiles_of_a_cluster_are_in_an_order():
    cluster = make_cluster()
    attach(cluster, make_profile("monitoring"))

    refuses("cluster_add_on_position_unique", lambda: attach(cluster, make_profile("logging")))


def test_add_on_has_a_version_of_its_own_profile():
    cluster = make_cluster()

    def work():
        attach(cluster, make_profile("monitoring"), profile=make_profile("logging").profile)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    refuses("cluster_add_on_version_of_profile", work)


def test_deleted_cluster_says_when():
    cluster = make_cluster()

    def work():
        Cluster.objects.filter(pk=cluster.pk).update(state=ClusterState.DELETED)

    refuses("cluster_deleted_with_time", work)


def test_pool_name_is_unique_in_its_cluster():
    pool = make_machine_pool()

    refuses(
        "machine_pool_name_unique_in_cluster",
        lambda: make_machine_pool(pool.cluster, name=pool.name, role=PoolRole.WORKER),
    )


def test_cluster_has_one_control_plane():
    pool = make_machine_pool()

    refuses("machine_pool_one_control_plane", lambda: make_machine_pool(pool.cluster, name="second"))


@pytest.mark.parametrize("size", [0, 2, 4])
def test_control_plane_has_an_odd_number_of_machines(size):
    refuses("machine_pool_control_plane_1_3_5", lambda: make_machine_pool(size=size))


def test_machine_index_is_unique_in_its_pool():
    pool = make_machine_pool()
    make_machine(pool)

    refuses("machine_index_unique_in_pool", lambda: make_machine(pool))


def test_deleted_machine_gives_its_index_free():
    pool = make_machine_pool()
    make_machine(pool, state=MachineState.DELETED)

    assert make_machine(pool).index == 1


def test_cluster_has_an_endpoint_only_once_its_host_is_known():
    cluster = make_cluster(address_allocation=AddressAllocation.DHCP)
    assert cluster.endpoint == ""

    cluster.endpoint_host = "gw.acme.test"

    assert cluster.endpoint == "gw.acme.test:6443"
