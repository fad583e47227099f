"""Making a pool: which values are refused, and at which field."""

import pytest

from gateways.actions.system import ensure_system_gateway
from ippools.actions import (
    InvalidPool,
    PoolExhausted,
    PoolReserved,
    PoolValues,
    check_can_serve,
    claim_address,
    create_pool,
    free_count,
    needed_addresses,
)
from ippools.models import IPPool, NetworkType
from palette_portal.tenants.models import AuditRow
from tests.factories import amelia, make_cloud_account, make_cluster, make_gateway, make_pool, make_tenant

pytestmark = pytest.mark.django_db


def values(**changes):
    return PoolValues(
        **{
            "name": "nodes",
            "network_type": NetworkType.RANGE,
            "start": "10.10.183.20",
            "end": "10.10.183.40",
            "prefix": 24,
            "gateway_address": "10.10.183.1",
            "name_servers": ("10.10.0.2",),
            **changes,
        }
    )


def subnet(cidr="10.10.184.0/26", **changes):
    changes = {"prefix": 18, "gateway_address": "10.10.128.1", **changes}
    return values(network_type=NetworkType.SUBNET, start="", end="", subnet=cidr, **changes)


def refused_field(gateway, given):
    with pytest.raises(InvalidPool) as refused:
        create_pool(gateway=gateway, values=given, by=amelia())
    assert refused.value.message.endswith(".")
    return refused.value.field


def test_range_becomes_a_pool():
    gateway, by = make_gateway(), amelia()

    pool = create_pool(gateway=gateway, values=values(), by=by)

    assert (pool.gateway, pool.tenant, pool.created_by) == (gateway, gateway.tenant, by)
    assert free_count(pool) == 21


def test_subnet_becomes_a_pool_of_a_larger_network():
    pool = create_pool(gateway=make_gateway(), values=subnet(), by=amelia())

    assert free_count(pool) == 62


def test_pool_is_audited():
    by = amelia()
    pool = create_pool(gateway=make_gateway(), values=values(), by=by)

    row = AuditRow.objects.get(object_kind="ip-pool")
    assert (row.user, row.object_id, row.action) == (by, str(pool.pk), "create")


def test_ipv6_range_becomes_a_pool():
    given = values(
        start="2001:db8::10", end="2001:db8::1f", prefix=64, gateway_address="2001:db8::1", name_servers=()
    )

    assert free_count(create_pool(gateway=make_gateway(), values=given, by=amelia())) == 16


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (values(name=" "), "name"),
        (values(start="10.10.183"), "start"),
        (values(end=""), "end"),
        (values(start="10.10.183.50"), "end"),
        (values(end="10.10.184.20"), "end"),
        (values(end="2001:db8::1"), "end"),
        (values(prefix=33), "prefix"),
        (values(gateway_address="10.10.184.1"), "gateway_address"),
        (values(gateway_address="gateway"), "gateway_address"),
        (values(name_servers=("dns.acme.test",)), "name_servers"),
        (values(excluded=("10.10.183.x",)), "excluded"),
        (values(excluded=("10.10.183.30", "10.10.183.41")), "excluded"),
        (values(excluded=("2001:db8::1",)), "excluded"),
        (values(start="10.10.183.1", end="10.10.183.1"), "end"),
        (subnet("10.10.184.0"), "subnet"),
        (subnet("10.10.184.7/26"), "subnet"),
        (subnet("10.10.128.0/16", prefix=18), "subnet"),
    ],
)
def test_pool_with_a_wrong_value_is_refused_at_its_field(given, field):
    assert refused_field(make_gateway(), given) == field


def test_pool_name_is_unique_in_its_gateway():
    gateway = make_gateway()
    make_pool(gateway, name="nodes", start="10.20.0.10", end="10.20.0.20", gateway_address="10.20.0.1")

    assert refused_field(gateway, values()) == "name"


@pytest.mark.parametrize(
    ("start", "end"), [("10.10.183.1", "10.10.183.20"), ("10.10.183.25", "10.10.183.30")]
)
def test_pool_that_overlaps_with_another_of_the_gateway_is_refused(start, end):
    gateway = make_gateway()
    make_pool(gateway, name="other")

    assert refused_field(gateway, values(start=start, end=end)) == "start"


def test_pool_that_overlaps_with_another_gateways_on_the_same_vcenter_is_refused():
    make_pool(make_gateway(vcenter_server="vcenter.acme.test"), name="other")

    assert refused_field(make_gateway(vcenter_server="vcenter.acme.test"), values()) == "start"


def test_pool_of_the_system_gateway_is_compared_with_those_on_its_accounts_vcenters():
    east = make_gateway(name="dc-east", vcenter_server="vcenter.acme.test")
    make_pool(east, name="other")
    system = ensure_system_gateway(make_tenant())
    given = values(start="10.10.183.40", end="10.10.183.60")
    make_cloud_account(system, vcenter_server="vcenter.acme.test")

    assert refused_field(system, given) == "start"


def test_pool_beside_one_of_the_system_gateway_on_the_same_vcenter_is_refused():
    system = ensure_system_gateway(make_tenant())
    make_pool(system, name="other")
    make_cloud_account(system, vcenter_server="vcenter.acme.test")

    assert refused_field(make_gateway(vcenter_server="vcenter.acme.test"), values()) == "start"


def test_pool_may_overlap_with_one_on_another_vcenter():
    make_pool(make_gateway(vcenter_server="berlin.acme.test"))

    create_pool(gateway=make_gateway(vcenter_server="lagos.acme.test"), values=values(), by=amelia())

    assert IPPool.objects.count() == 2


def test_need_is_nodes_and_virtual_ip_and_one_extra():
    assert [needed_addresses(nodes) for nodes in (1, 3)] == [3, 5]


def test_pool_with_too_few_free_addresses_cannot_serve():
    pool = make_pool(start="10.10.183.20", end="10.10.183.23")
    check_can_serve(pool, nodes=2)

    with pytest.raises(PoolExhausted, match="4 addresses free, and 5 are needed: 3 for nodes"):
        check_can_serve(pool, nodes=3)


def test_restricted_pool_serves_only_its_cluster():
    pool = make_pool(restrict_to_single_cluster=True)
    cluster = make_cluster(pool.gateway)
    claim_address(
        pool,
        cluster_id=cluster.id,
        owner_kind="cluster",
        owner_id=cluster.id,
        owner_name=cluster.name,
        purpose="vip",
    )
    pool.refresh_from_db()

    check_can_serve(pool, nodes=1, cluster_id=cluster.id)
    with pytest.raises(PoolReserved):
        check_can_serve(pool, nodes=1)
