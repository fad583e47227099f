import pytest
from hypothesis import given
from hypothesis import strategies as st

from ippools.reservations import Reservation, control_plane, node_pool, whole_cluster, worker_pool


@pytest.mark.parametrize(("nodes", "needed"), [(1, 3), (3, 5), (5, 7)])
def test_control_plane_needs_its_nodes_the_virtual_ip_and_one_extra(nodes: int, needed: int) -> None:
    assert control_plane(nodes).total == needed


def test_worker_pool_needs_one_extra() -> None:
    assert worker_pool(3).total == 4


def test_worker_pool_that_contracts_first_needs_no_extra() -> None:
    assert worker_pool(3, surge=0).total == 3


def test_worker_pool_that_adds_three_first_needs_three_extra() -> None:
    assert worker_pool(5, surge=3).total == 8


def test_worker_pool_with_autoscaler_needs_its_maximum() -> None:
    assert worker_pool(3, autoscaler_maximum=8).total == 9


def test_cluster_of_one_master_and_three_workers_needs_seven() -> None:
    assert whole_cluster([control_plane(1), worker_pool(3)]).total == 7


def test_node_pool_is_counted_by_its_role() -> None:
    assert node_pool(3, is_master=True, maximum=None, surge=0) == control_plane(3)
    assert node_pool(3, is_master=False, maximum=None, surge=0) == worker_pool(3, surge=0)
    assert node_pool(3, is_master=False, maximum=9, surge=2) == worker_pool(9, surge=2)


def test_cluster_without_pools_needs_nothing() -> None:
    assert whole_cluster([]) == Reservation()


def test_reservation_says_what_it_is_for() -> None:
    assert str(control_plane(3)) == "3 for nodes, 1 for the virtual IP and 1 extra"
    assert str(worker_pool(2)) == "2 for nodes and 1 extra"
    assert str(worker_pool(2, surge=0)) == "2 for nodes"


@given(st.lists(st.builds(worker_pool, st.integers(0, 50), surge=st.integers(0, 9))))
def test_whole_is_the_sum_of_its_pools(pools: list[Reservation]) -> None:
    assert whole_cluster(pools).total == sum(pool.total for pool in pools)
