"""Changing and removing pools: what is in use stays."""

from dataclasses import replace
from uuid import uuid4

import pytest

from clusters.models import Cluster
from clusters.states import ClusterState
from ippools.actions import (
    InvalidPool,
    PoolInUse,
    PoolReserved,
    delete_pool,
    edit_pool,
    exclude_addresses,
    free_count,
    release_addresses,
)
from ippools.actions.pools import clusters_using, values_of
from ippools.models import IPPool
from palette_portal.tenants.models import AuditRow
from tests.factories import amelia, make_cluster, make_gateway, make_machine_pool, make_pool
from tests.integration.ippools.asking import claim

pytestmark = pytest.mark.django_db


def edit(pool, **changes):
    return edit_pool(pool=pool, values=replace(values_of(pool), **changes), by=amelia())


def refusal(pool, **changes):
    with pytest.raises(InvalidPool) as refused:
        edit(pool, **changes)
    return refused.value


def test_pool_saved_unchanged_is_accepted():
    pool = make_pool()

    edit(pool)

    assert "start" not in AuditRow.objects.get().detail


def test_edit_is_audited_with_old_and_new():
    edit(make_pool(), end="10.10.183.60", name_servers=())

    row = AuditRow.objects.get(action="edit")
    assert row.detail["end"] == "10.10.183.40 → 10.10.183.60"
    assert row.detail["name_servers"] == "10.10.0.2 → none"


def test_pool_grows():
    assert free_count(edit(make_pool(), start="10.10.183.10", end="10.10.183.60")) == 51


def test_range_becomes_a_subnet():
    pool = edit(make_pool(), network_type="subnet", subnet="10.10.183.0/26", start="", end="")

    assert (pool.start, pool.end, free_count(pool)) == (None, None, 61)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start": "10.10.183.21"}, "start"),
        ({"gateway_address": "10.10.183.20"}, "gateway_address"),
        ({"excluded": ("10.10.183.20",)}, "excluded"),
        ({"network_type": "subnet", "subnet": "10.10.183.64/26", "start": "", "end": ""}, "subnet"),
    ],
)
def test_change_that_drops_an_address_in_use_names_it(changes, field):
    pool = make_pool()
    claim(pool)

    error = refusal(pool, **changes)

    assert error.field == field
    assert error.message == "10.10.183.20 is used by gw-cp-1 and has to stay in the pool until released."


def test_pool_shrinks_past_an_address_that_was_released():
    pool, cluster = make_pool(), uuid4()
    claim(pool, cluster_id=cluster)
    release_addresses(cluster_id=cluster)

    edit(pool, start="10.10.183.21")

    assert claim(IPPool.objects.get()).address == "10.10.183.21"


def test_pool_may_not_grow_into_its_neighbour():
    gateway = make_gateway()
    make_pool(gateway, name="other", start="10.10.183.50", end="10.10.183.60")

    assert refusal(make_pool(gateway), end="10.10.183.50").field == "start"


def test_pool_may_not_take_its_neighbours_name():
    gateway = make_gateway()
    make_pool(gateway, name="other", start="10.10.183.50", end="10.10.183.60")

    assert refusal(make_pool(gateway), name="other").field == "name"


def test_pool_that_one_cluster_uses_is_restricted_to_it():
    pool, cluster = make_pool(), uuid4()
    claim(pool, cluster_id=cluster)

    restricted = edit(pool, restrict_to_single_cluster=True)

    assert restricted.reserved_for == cluster
    with pytest.raises(PoolReserved):
        claim(restricted)


def test_pool_that_two_clusters_use_cannot_be_restricted():
    pool = make_pool()
    claim(pool)
    claim(pool)

    error = refusal(pool, restrict_to_single_cluster=True)

    assert (error.field, "2 clusters" in error.message) == ("restrict_to_single_cluster", True)


def test_pool_that_is_no_longer_restricted_is_for_everybody():
    pool = make_pool(restrict_to_single_cluster=True)
    claim(pool)

    claim(edit(IPPool.objects.get(), restrict_to_single_cluster=False))

    assert IPPool.objects.get().reserved_for is None


def test_excluded_address_is_never_handed_out():
    pool = make_pool()

    exclude_addresses(pool=pool, addresses=["10.10.183.20"], by=amelia())

    assert claim(IPPool.objects.get()).address == "10.10.183.21"


def test_excluding_goes_on_in_a_pool_that_excludes_addresses_it_does_not_have():
    pool = make_pool(excluded=["10.10.184.9", "10.10.183.30"])

    exclude_addresses(pool=pool, addresses=["10.10.183.20"], by=amelia())

    assert IPPool.objects.get().excluded == ["10.10.183.30", "10.10.183.20"]


def test_unused_pool_is_deleted_with_its_history():
    pool, cluster = make_pool(), uuid4()
    claim(pool, cluster_id=cluster)
    release_addresses(cluster_id=cluster)

    delete_pool(pool=pool, by=amelia())

    assert not IPPool.objects.exists()
    assert AuditRow.objects.get(action="delete").object_name == pool.name


def test_pool_in_use_names_its_users():
    pool = make_pool()
    cluster = make_cluster(pool.gateway, name="dc-east")
    claim(pool, cluster_id=cluster.pk)

    with pytest.raises(PoolInUse, match="is in use by dc-east") as refused:
        delete_pool(pool=pool, by=amelia())

    assert refused.value.users == (cluster,)


def test_pool_held_by_a_cluster_that_is_gone_is_not_deleted():
    pool = make_pool()
    claim(pool)

    with pytest.raises(PoolInUse, match="not released"):
        delete_pool(pool=pool, by=amelia())


def test_pool_that_a_cluster_is_planned_on_is_in_use():
    pool = make_pool()
    machine_pool = make_machine_pool(make_cluster(pool.gateway), ip_pool=pool)

    assert clusters_using(pool) == [machine_pool.cluster]


def test_pool_of_a_deleted_cluster_can_be_deleted():
    pool = make_pool()
    machine_pool = make_machine_pool(make_cluster(pool.gateway), ip_pool=pool)
    Cluster.objects.update(state=ClusterState.DELETED, deleted_at=pool.created_at)

    delete_pool(pool=pool, by=amelia())

    machine_pool.refresh_from_db()
    assert machine_pool.ip_pool is None
