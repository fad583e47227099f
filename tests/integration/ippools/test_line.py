"""Addresses that rest, and clusters that wait for one: in order, woken when something changes."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from ippools.actions import (
    PoolExhausted,
    check_can_serve,
    claim_addresses,
    edit_pool,
    free_count,
    release_address,
    release_addresses,
)
from ippools.actions.pools import values_of
from ippools.models import FORGOTTEN_AFTER, IPAddressClaim, WaitingCluster
from palette_portal.orchestration.models import Ring
from tests.factories import amelia, make_pool
from tests.integration.ippools.asking import claim, wanted

pytestmark = pytest.mark.django_db


@pytest.fixture
def rests(settings):
    settings.IPPOOLS_REST_SECONDS = 300


def tiny_pool():
    return make_pool(start="10.10.183.20", end="10.10.183.21")


def fill(pool):
    """One owner per address."""
    owners = [uuid4() for _ in range(free_count(pool))]
    for owner in owners:
        claim(pool, owner_id=owner)
    return owners


def refuse(pool, cluster, count=1):
    with pytest.raises(PoolExhausted) as refused:
        claim_addresses(wanted(pool, count), cluster_id=cluster)
    return refused.value


def test_released_address_rests_while_others_are_free(rests):
    pool, owner = make_pool(), uuid4()
    claim(pool, owner_id=owner)
    release_address(owner_id=owner, purpose="node")

    assert claim(pool).address == "10.10.183.21"
    assert free_count(pool) == 19


def test_resting_address_is_not_reused_even_if_nothing_else_is_free(rests):
    pool = tiny_pool()
    release_address(owner_id=fill(pool)[0], purpose="node")

    error = refuse(pool, uuid4())

    assert "no free address left. 1 is needed. 1 address rests before reuse." in error.reason
    assert 0 < error.look_again_seconds <= 60


def test_address_that_has_rested_is_reused(rests):
    pool = tiny_pool()
    release_address(owner_id=fill(pool)[0], purpose="node")
    pool.returned.update(free_at=timezone.now() - timedelta(seconds=1))

    assert claim(pool).address == "10.10.183.20"
    assert not pool.returned.exists()


def test_resting_addresses_count_for_a_cluster_that_is_planned(rests):
    pool = make_pool(start="10.10.183.20", end="10.10.183.22")
    for owner in fill(pool):
        release_address(owner_id=owner, purpose="node")

    check_can_serve(pool, nodes=1)
    with pytest.raises(PoolExhausted, match="0 addresses free and 3 resting, and 5 are needed"):
        check_can_serve(pool, nodes=3)


def test_addresses_are_claimed_all_or_none():
    pool, cluster = tiny_pool(), uuid4()

    error = refuse(pool, cluster, count=3)

    assert "has 2 free addresses. 3 are needed." in error.reason
    assert not IPAddressClaim.objects.exists()
    assert WaitingCluster.objects.get().count == 3


def test_who_waits_gets_what_it_needs_when_addresses_come_back():
    pool, cluster = tiny_pool(), uuid4()
    owners = fill(pool)
    request = wanted(pool, 2)
    with pytest.raises(PoolExhausted):
        claim_addresses(request, cluster_id=cluster)

    for owner in owners:
        release_address(owner_id=owner, purpose="node")

    assert [held.address for held in claim_addresses(request, cluster_id=cluster)] == [
        "10.10.183.20",
        "10.10.183.21",
    ]
    assert not WaitingCluster.objects.exists()


def test_who_comes_later_does_not_go_ahead_of_the_line():
    pool, first, second = tiny_pool(), uuid4(), uuid4()
    owners = fill(pool)
    refuse(pool, first)
    refuse(pool, second)
    release_address(owner_id=owners[0], purpose="node")

    assert "1 cluster waits before this one" in refuse(pool, second).reason
    assert "2 clusters wait before this one" in refuse(pool, uuid4()).reason
    assert claim(pool, cluster_id=first).address == "10.10.183.20"


def test_line_lets_through_who_leaves_enough_for_those_before():
    pool, first, second = tiny_pool(), uuid4(), uuid4()
    owners = fill(pool)
    refuse(pool, first)
    refuse(pool, second)
    for owner in owners:
        release_address(owner_id=owner, purpose="node")

    claim(pool, cluster_id=second)
    claim(pool, cluster_id=first)

    assert not WaitingCluster.objects.exists()


def test_cluster_that_is_gone_leaves_the_line_and_wakes_the_next():
    pool, gone, next_one = tiny_pool(), uuid4(), uuid4()
    owners = fill(pool)
    refuse(pool, gone)
    release_address(owner_id=owners[0], purpose="node")
    Ring.objects.all().delete()

    release_addresses(cluster_id=gone)

    assert Ring.objects.get().external_ref == pool.wake_reference
    assert claim(pool, cluster_id=next_one).address == "10.10.183.20"


def test_cluster_that_does_not_ask_any_more_holds_nobody_up():
    pool = tiny_pool()
    owners = fill(pool)
    refuse(pool, uuid4())
    WaitingCluster.objects.update(asked_at=timezone.now() - FORGOTTEN_AFTER)
    release_address(owner_id=owners[0], purpose="node")

    assert claim(pool).address == "10.10.183.20"


@pytest.mark.parametrize("change", ["release", "grow"])
def test_waiting_steps_are_rung(change):
    pool = tiny_pool()
    owners = fill(pool)

    if change == "release":
        release_address(owner_id=owners[0], purpose="node")
    else:
        edit_pool(pool=pool, values=changed(pool, end="10.10.183.30"), by=amelia())

    assert Ring.objects.filter(external_ref=pool.wake_reference).exists()


def test_pool_that_grows_serves_the_first_in_line():
    pool, cluster = tiny_pool(), uuid4()
    fill(pool)
    refuse(pool, cluster)

    edit_pool(pool=pool, values=changed(pool, end="10.10.183.22"), by=amelia())

    assert "before this one" in refuse(pool, uuid4()).reason
    assert claim(pool, cluster_id=cluster).address == "10.10.183.22"


def test_pool_that_grows_downwards_hands_out_its_new_addresses_first():
    pool = tiny_pool()
    fill(pool)

    edit_pool(pool=pool, values=changed(pool, start="10.10.183.18"), by=amelia())

    assert [claim(pool).address for _ in range(2)] == ["10.10.183.18", "10.10.183.19"]


def changed(pool, **changes):
    return replace(values_of(pool), **changes)
