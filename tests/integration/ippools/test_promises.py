"""Who was let in gets all that was promised, whoever comes later."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from clusters.models import Cluster, MachinePool, PoolRole
from clusters.states import ClusterState
from gateways.models import PrivateCloudGateway
from ippools.actions import (
    PoolExhausted,
    PoolReserved,
    PoolUnavailable,
    check_has_room,
    check_promise,
    delete_pool,
    reserve,
)
from ippools.models import IPPool
from ippools.promises import promises_on, usages_with_promises
from ippools.reservations import Reservation
from tests.factories import amelia, make_cluster, make_gateway, make_machine_pool, make_pool, make_project
from tests.integration.ippools.asking import claim


def make_small_pool(count: int, gateway: PrivateCloudGateway | None = None, **fields: object) -> IPPool:
    return make_pool(gateway, start="10.10.183.20", end=f"10.10.183.{19 + count}", **fields)


def make_body(pool: IPPool, name: str = "shop", **fields: object) -> Cluster:
    return make_cluster(
        pool.gateway, name=name, project=make_project(pool.tenant), state=ClusterState.RUNNING, **fields
    )


def make_workers(pool: IPPool, cluster: Cluster | None = None, **fields: object) -> MachinePool:
    values = {"name": "workers", "role": PoolRole.WORKER, "size": 2, "ip_pool": pool, **fields}
    return make_machine_pool(cluster or make_body(pool), **values)


def promised_of(pool: IPPool) -> int:
    return usages_with_promises([pool])[pool.pk].promised


@pytest.mark.django_db
class TestPromise:
    def test_cluster_that_claimed_nothing_is_promised_its_reservation(self) -> None:
        pool = make_pool()
        cluster = make_body(pool)
        make_workers(pool, cluster, size=2)
        make_machine_pool(cluster, size=3, ip_pool=pool)

        (promise,) = promises_on([pool])[pool.pk]

        assert promise.reservation == Reservation(nodes=5, virtual=1, spare=2)
        assert (promise.cluster_id, promise.held, promise.count) == (cluster.pk, 0, 8)

    def test_what_it_holds_is_not_promised_any_more(self) -> None:
        pool = make_pool()
        cluster = make_workers(pool, size=2, surge=0, unavailable=1).cluster
        claim(pool, cluster_id=cluster.pk)
        claim(pool)
        assert promised_of(pool) == 1

        for _ in range(3):
            claim(pool, cluster_id=cluster.pk)

        assert promised_of(pool) == 0

    def test_autoscaler_is_promised_its_maximum(self) -> None:
        pool = make_pool()
        make_workers(pool, size=2, autoscales=True, minimum_size=1, maximum_size=6)

        assert promised_of(pool) == 7

    @pytest.mark.parametrize("state", [ClusterState.DELETING, ClusterState.DELETED])
    def test_cluster_that_goes_is_promised_nothing(self, state: ClusterState) -> None:
        pool = make_pool()
        cluster = make_workers(pool).cluster
        # The states' own rules are not what is tested.
        Cluster.objects.filter(pk=cluster.pk).update(
            state=state, **({"deleted_at": "2026-01-01T00:00Z"} if state == ClusterState.DELETED else {})
        )

        assert promised_of(pool) == 0

    def test_many_pools_and_clusters_are_asked_about_at_once(self, django_assert_num_queries) -> None:
        gateway = make_gateway()
        pools = [make_pool(gateway, start=f"10.10.{net}.20", end=f"10.10.{net}.40") for net in range(5)]
        for number, pool in enumerate(pools):
            make_workers(pool, make_body(pool, f"shop-{number}"))

        with django_assert_num_queries(2):
            found = promises_on(pools)

        assert [len(found[pool.pk]) for pool in pools] == [1] * 5


@pytest.mark.django_db
class TestRoom:
    def test_what_others_were_promised_is_no_room(self) -> None:
        pool = make_small_pool(10)
        make_workers(pool, autoscales=True, minimum_size=1, maximum_size=5)

        check_has_room(pool, Reservation(4))
        with pytest.raises(
            PoolExhausted, match=r"10 addresses free \(6 of them promised to other clusters\)"
        ):
            check_has_room(pool, Reservation(5))

    def test_own_promise_can_be_used(self) -> None:
        pool = make_small_pool(10)
        cluster = make_workers(pool, autoscales=True, minimum_size=1, maximum_size=5).cluster

        check_has_room(pool, Reservation(10), cluster_id=cluster.pk)

    def test_promise_counts_on_what_rests(self) -> None:
        pool = make_small_pool(3)
        pool.returned.create(address="10.10.183.20", free_at="2999-01-01T00:00Z")
        make_workers(pool, size=2)

        with pytest.raises(PoolExhausted, match=r"2 addresses free and 1 resting \(all promised"):
            check_has_room(pool, Reservation(1))

    def test_who_was_promised_may_have_it_although_more_was_promised_than_there_is(self) -> None:
        pool = make_small_pool(4)
        make_workers(pool, make_body(pool, "shop"), size=3)
        make_workers(pool, make_body(pool, "bank"), size=3)

        check_promise(pool, Reservation(4))
        with pytest.raises(PoolExhausted, match="4 addresses free, and 5 are needed"):
            check_promise(pool, Reservation(5))

    def test_restricted_pool_is_for_the_first_that_is_planned_on_it(self) -> None:
        pool = make_pool(restrict_to_single_cluster=True)
        cluster = make_workers(pool).cluster

        check_has_room(pool, Reservation(1), cluster_id=cluster.pk)
        with pytest.raises(PoolReserved):
            check_has_room(pool, Reservation(1))

    def test_pool_that_was_deleted_meanwhile_is_told(self) -> None:
        pool = make_pool()
        delete_pool(pool=IPPool.objects.get(pk=pool.pk), by=amelia())

        with pytest.raises(PoolUnavailable, match="was deleted meanwhile"):
            reserve({pool: Reservation(1)})


class TestWhoWasLetIn(TestCase):
    @settings(max_examples=30, deadline=None)
    @given(
        wishes=st.lists(
            st.tuples(st.integers(1, 5), st.integers(0, 8), st.integers(0, 3), st.integers(0, 9)),
            min_size=1,
            max_size=7,
        )
    )
    def test_all_reservations_fit_into_the_pool(self, wishes: list[tuple[int, int, int, int]]) -> None:
        """In whatever order they come and however much of it they claim before the next one."""
        pool, room = make_small_pool(20), 20
        for number, (size, growth, surge, claimed) in enumerate(wishes):
            limits = {"autoscales": True, "minimum_size": 1, "maximum_size": size + growth}
            needed = Reservation(size + growth, spare=surge)
            with suppress(PoolExhausted):
                reserve({pool: needed})
                cluster = make_body(pool, f"shop-{number}")
                make_workers(pool, cluster, size=size, surge=surge, unavailable=1, **limits)
                for _ in range(min(claimed, needed.total)):
                    claim(pool, cluster_id=cluster.pk)
                room -= needed.total
                continue
            assert room < needed.total

        promises = promises_on([pool])[pool.pk]
        assert sum(promise.held + promise.count for promise in promises) == 20 - room >= 0


@pytest.fixture
def pool_for_one(transactional_db: None) -> Iterator[IPPool]:
    yield make_small_pool(5)


def test_two_at_once_are_not_both_let_into_the_room_of_one(
    pool_for_one: IPPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_have_looked = Barrier(2)

    def look(*args: Any, **kwargs: Any) -> None:
        check_has_room(*args, **kwargs)
        with suppress(BrokenBarrierError):  # the other one cannot look before this one is through
            both_have_looked.wait(2)

    monkeypatch.setattr("ippools.actions.room.check_has_room", look)

    def enter(name: str) -> str:
        try:
            with transaction.atomic():
                reserve({pool_for_one: Reservation(3)})
                make_workers(pool_for_one, make_body(pool_for_one, name), size=2)
            return name
        except PoolExhausted as refused:
            return refused.reason
        finally:
            connection.close()

    make_project(pool_for_one.tenant)
    with ThreadPoolExecutor(2) as pairs:
        answers = list(pairs.map(enter, ["shop", "bank"]))

    (let_in,) = MachinePool.objects.values_list("cluster__name", flat=True)
    assert let_in in answers
    assert sum("3 of them promised to other clusters" in answer for answer in answers) == 1
