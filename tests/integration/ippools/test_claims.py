"""Claiming and releasing addresses, also from many sides at once."""

import ipaddress
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection

from ippools.actions import PoolExhausted, PoolReserved, release_address, release_addresses
from ippools.models import IPAddressClaim, IPPool
from tests.factories import make_pool
from tests.integration.ippools.asking import claim


@pytest.mark.django_db
class TestClaims:
    def test_lowest_free_address_is_claimed_first(self):
        pool = make_pool(excluded=["10.10.183.21"])

        assert [claim(pool).address for _ in range(3)] == ["10.10.183.20", "10.10.183.22", "10.10.183.23"]

    def test_claim_of_the_same_owner_and_purpose_is_the_same(self):
        pool, owner = make_pool(), uuid4()

        assert claim(pool, owner_id=owner) == claim(pool, owner_id=owner)
        assert claim(pool, owner_id=owner, purpose="vip").address == "10.10.183.21"

    def test_released_address_is_claimed_again(self):
        pool, owner = make_pool(), uuid4()
        first = claim(pool, owner_id=owner)
        claim(pool)

        assert release_address(owner_id=owner, purpose="node") == 1

        again = claim(pool)
        assert (again.address, again.pk != first.pk) == (first.address, True)

    def test_lowest_free_address_is_taken_although_others_never_were(self):
        pool, owners = make_pool(), [uuid4() for _ in range(4)]
        for owner in owners:
            claim(pool, owner_id=owner)
        for owner in (owners[2], owners[1]):
            release_address(owner_id=owner, purpose="node")

        assert [claim(pool).address for _ in range(3)] == ["10.10.183.21", "10.10.183.22", "10.10.183.24"]

    def test_pool_known_from_before_an_edit_hands_out_only_what_belongs_to_it_now(self):
        pool = make_pool()
        IPPool.objects.filter(pk=pool.pk).update(start="10.10.183.30", edition=2)

        assert claim(pool).address == "10.10.183.30"

    def test_ipv6_addresses_are_claimed(self):
        pool = make_pool(
            network_type="subnet",
            start=None,
            end=None,
            subnet="2001:db8::/64",
            prefix=64,
            gateway_address="2001:db8::1",
        )

        assert [claim(pool).address for _ in range(2)] == ["2001:db8::2", "2001:db8::3"]

    def test_gateway_network_and_broadcast_are_never_handed_out(self):
        pool = make_pool(start="10.10.183.0", end="10.10.183.255", gateway_address="10.10.183.1", prefix=24)

        addresses = [claim(pool).address for _ in range(253)]

        assert (addresses[0], addresses[-1]) == ("10.10.183.2", "10.10.183.254")
        with pytest.raises(PoolExhausted):
            claim(pool)

    def test_release_of_nothing_is_nothing(self):
        assert release_address(owner_id=uuid4(), purpose="node") == 0

    def test_release_of_a_cluster_frees_all_its_addresses_and_no_other(self):
        pool, cluster = make_pool(), uuid4()
        for _ in range(3):
            claim(pool, cluster_id=cluster)
        other = claim(pool)

        assert release_addresses(cluster_id=cluster) == 3

        assert list(IPAddressClaim.objects.held()) == [other]

    def test_exhausted_pool_says_so(self):
        pool = make_pool(end="10.10.183.20")
        claim(pool)

        with pytest.raises(PoolExhausted, match=f"{pool.name} has no free address left"):
            claim(pool)

    def test_restricted_pool_is_for_the_first_cluster_until_it_lets_go(self):
        pool, first, second = make_pool(restrict_to_single_cluster=True), uuid4(), uuid4()
        claim(pool, cluster_id=first)
        claim(pool, cluster_id=first)

        with pytest.raises(PoolReserved, match="restricted to one cluster"):
            claim(pool, cluster_id=second)
        release_addresses(cluster_id=first)

        claim(pool, cluster_id=second)
        pool.refresh_from_db()
        assert pool.reserved_for == second

    def test_restricted_pool_that_others_used_before_is_not_taken_over(self):
        pool = make_pool()
        claim(pool)
        pool.restrict_to_single_cluster = True
        pool.save()

        with pytest.raises(PoolReserved):
            claim(pool)

    def test_address_is_held_once_whatever_writes_it(self):
        pool = make_pool()
        held = claim(pool)

        with pytest.raises(IntegrityError, match="claim_address_held_once"):
            IPAddressClaim.objects.create(
                pool=pool,
                address=held.address,
                cluster_id=uuid4(),
                owner_kind="machine",
                owner_id=uuid4(),
                owner_name="x",
                purpose="node",
            )


@pytest.mark.django_db(transaction=True)
class TestClaimsAtOnce:
    def at_once(self, work, arguments, *, workers=8):
        def run(argument):
            try:
                return work(argument)
            finally:
                connection.close()

        with ThreadPoolExecutor(workers) as threads:
            return list(threads.map(run, arguments))

    def test_many_owners_get_an_address_each(self):
        pool = make_pool(end="10.10.183.43")

        addresses = self.at_once(lambda _: claim(pool).address, range(24))

        assert len(set(addresses)) == 24

    def test_32_workers_share_a_20_without_a_double_or_a_gap(self):
        pool = make_pool(
            network_type="subnet",
            start=None,
            end=None,
            subnet="10.20.0.0/20",
            prefix=20,
            gateway_address="10.20.0.1",
        )

        def take_until_exhausted(_):
            taken = []
            with suppress(PoolExhausted):
                while True:
                    taken.append(claim(pool).address)
            return taken

        taken = self.at_once(take_until_exhausted, range(32), workers=32)

        everything = [str(address) for address in pool.addresses]
        assert sorted(chain(*taken), key=ipaddress.ip_address) == everything
        with pytest.raises(PoolExhausted):
            claim(pool)

    def test_claims_and_releases_at_once_leave_nothing_doubled(self):
        pool = make_pool(start="10.10.183.20", end="10.10.183.27")

        def come_and_go():
            owner = uuid4()
            claim(pool, owner_id=owner)
            assert release_address(owner_id=owner, purpose="node") == 1

        self.at_once(lambda _: [come_and_go() for _ in range(20)], range(8))

        assert [claim(pool).address for _ in range(8)] == [f"10.10.183.{n}" for n in range(20, 28)]

    def test_one_owner_asking_many_times_gets_one_address(self):
        pool, owner = make_pool(), uuid4()

        addresses = self.at_once(lambda _: claim(pool, owner_id=owner).address, range(16))

        assert len(set(addresses)) == 1
        assert IPAddressClaim.objects.held().count() == 1

    def test_restricted_pool_lets_only_one_of_many_clusters_in(self):
        pool = make_pool(restrict_to_single_cluster=True)

        def ask(cluster_id):
            try:
                return claim(pool, cluster_id=cluster_id).cluster_id
            except PoolReserved:
                return None

        winners = set(self.at_once(ask, [uuid4() for _ in range(8)])) - {None}
        assert len(winners) == 1
