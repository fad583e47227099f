"""Changes of a running cluster and the promises of its IP pool: its own are used, the others' are kept."""

from dataclasses import replace
from typing import Any

import pytest

from clusters.actions.pools import add_pool, resize_pool
from clusters.actions.renewal import edit_pool
from clusters.actions.requests import Autoscaling, PoolRequest
from clusters.models import Cluster, MachinePool, PoolRole, RollingUpdate
from clusters.states import ClusterState
from ippools.actions import PoolExhausted
from ippools.models import IPPool
from palette_portal.orchestration.models import Operation
from palette_portal.tenants.models import User
from tests.factories import bao, make_cluster, make_machine, make_machine_pool, make_pool, make_project
from tests.integration.changes.test_pools import as_request
from tests.integration.ippools.asking import claim

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor() -> User:
    return bao()


@pytest.fixture
def ip_pool() -> IPPool:
    """Ten addresses."""
    return make_pool(start="10.10.183.20", end="10.10.183.29")


def running(ip_pool: IPPool, name: str, *, size: int = 2, **fields: Any) -> MachinePool:
    """A pool of workers that have their addresses, of a cluster with masters elsewhere."""
    project = make_project(ip_pool.tenant)
    cluster = make_cluster(ip_pool.gateway, name=name, project=project, state=ClusterState.RUNNING)
    make_machine_pool(cluster)
    values = {"name": "workers", "role": PoolRole.WORKER, "size": size, "ip_pool": ip_pool, **fields}
    pool = make_machine_pool(cluster, **values)
    for index in range(1, size + 1):
        machine = make_machine(pool, index=index, state="Running", running_at="2026-01-01T00:00Z")
        claim(ip_pool, cluster_id=cluster.pk, owner_id=machine.pk)
    return pool


def scaling(maximum: int) -> dict[str, Any]:
    return {"autoscales": True, "minimum_size": 1, "maximum_size": maximum}


def test_pool_grows_by_what_nobody_was_promised(ip_pool: IPPool, editor: User) -> None:
    running(ip_pool, "bank", **scaling(5))  # 6 of the 10
    pool = running(ip_pool, "shop")

    with pytest.raises(PoolExhausted, match=r"6 addresses free \(4 of them promised to other clusters\)"):
        resize_pool(pool=pool, size=5, by=editor)

    assert resize_pool(pool=pool, size=4, by=editor)


def test_autoscaler_grows_to_its_maximum_although_the_rest_is_promised(ip_pool: IPPool) -> None:
    pool = running(ip_pool, "shop", **scaling(5))
    running(ip_pool, "bank", **scaling(9))  # from a time when promises were not counted

    assert resize_pool(pool=pool, size=5, by=None)


def test_added_pool_gets_nothing_that_was_promised(ip_pool: IPPool, editor: User) -> None:
    running(ip_pool, "bank", **scaling(5))
    cluster = running(ip_pool, "shop").cluster
    request = replace(request_like(cluster), name="more", size=4)

    with pytest.raises(PoolExhausted, match="and 5 are needed"):
        add_pool(cluster=cluster, request=request, by=editor)

    assert add_pool(cluster=cluster, request=replace(request, size=1), by=editor)


def request_like(cluster: Cluster) -> PoolRequest:
    return as_request(cluster.machine_pools.get(role=PoolRole.WORKER))


def test_higher_maximum_needs_room_that_was_not_promised(ip_pool: IPPool, editor: User) -> None:
    running(ip_pool, "bank", **scaling(5))
    pool = running(ip_pool, "shop", **scaling(3))

    with pytest.raises(PoolExhausted, match="3 are needed"):
        edit_pool(pool=pool, request=as_request(pool, autoscaling=Autoscaling(1, 5)), by=editor)

    assert edit_pool(pool=pool, request=as_request(pool, autoscaling=Autoscaling(1, 4)), by=editor) is None


def test_lower_maximum_needs_no_room(ip_pool: IPPool, editor: User) -> None:
    running(ip_pool, "bank", **scaling(9))
    pool = running(ip_pool, "shop", **scaling(7))

    edit_pool(pool=pool, request=as_request(pool, autoscaling=Autoscaling(1, 6)), by=editor)

    pool.refresh_from_db()
    assert pool.maximum_size == 6


def test_larger_surge_needs_room_that_was_not_promised(ip_pool: IPPool, editor: User) -> None:
    running(ip_pool, "bank", **scaling(5))
    pool = running(ip_pool, "shop")
    request = as_request(pool, rolling_update=RollingUpdate.CUSTOM, surge=3)

    with pytest.raises(PoolExhausted, match="3 are needed: 0 for nodes and 3 extra"):
        edit_pool(pool=pool, request=request, by=editor)

    assert not Operation.objects.exists()
    assert edit_pool(pool=pool, request=replace(request, surge=2), by=editor) is None
