import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ippools.ranges import AddressRange, edges, pool_range


def v4(number: int) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(number)


def make_range(start: str, end: str, **arguments: object) -> AddressRange:
    values = {"subnet": "", "prefix": 24, "reserved": [], **arguments}
    return pool_range(start=start, end=end, **values)  # type: ignore[arg-type]


def test_range_includes_both_ends() -> None:
    assert [str(address) for address in make_range("10.0.0.5", "10.0.0.7")] == [
        "10.0.0.5",
        "10.0.0.6",
        "10.0.0.7",
    ]


def test_range_leaves_out_network_broadcast_and_reserved() -> None:
    addresses = {str(address) for address in make_range("10.0.0.0", "10.0.0.255", reserved=["10.0.0.1"])}

    assert len(addresses) == 253
    assert not addresses & {"10.0.0.0", "10.0.0.1", "10.0.0.255"}


def test_subnet_starts_after_its_network_address() -> None:
    pool = pool_range(start=None, end=None, subnet="10.10.183.64/26", prefix=18, reserved=["10.10.128.1"])

    assert str(next(iter(pool))) == "10.10.183.65"
    assert len(pool) == 62


def test_ipv6_has_no_broadcast() -> None:
    pool = pool_range(start=None, end=None, subnet="fd00::/126", prefix=64, reserved=[])

    assert [str(address) for address in pool] == ["fd00::1", "fd00::2", "fd00::3"]


def test_mixed_families_are_refused() -> None:
    with pytest.raises(ValueError, match="families"):
        make_range("10.0.0.1", "fd00::1")


def test_ranges_of_different_families_do_not_overlap() -> None:
    assert not make_range("10.0.0.1", "10.0.0.9").overlaps(
        pool_range(start="fd00::1", end="fd00::9", subnet="", prefix=64, reserved=[])
    )


def test_tiny_networks_have_no_edges() -> None:
    assert edges(ipaddress.ip_network("10.0.0.0/31")) == frozenset()


@given(st.integers(0, 2**32 - 300), st.integers(0, 250), st.sets(st.integers(-5, 255), max_size=20))
def test_length_counts_what_is_iterated(first: int, size: int, holes: set[int]) -> None:
    reserved = frozenset(v4(first + hole) for hole in holes if first + hole >= 0)
    pool = AddressRange(v4(first), v4(first + size), reserved)

    found = list(pool)

    assert len(found) == len(pool) == len(set(found))
    assert found == sorted(found)
    assert all(address in pool for address in found)


@given(*[st.integers(0, 60)] * 4)
def test_overlap_is_having_an_address_in_common(a: int, b: int, c: int, d: int) -> None:
    one, other = AddressRange(v4(min(a, b)), v4(max(a, b))), AddressRange(v4(min(c, d)), v4(max(c, d)))

    assert one.overlaps(other) == bool(set(one) & set(other)) == other.overlaps(one)


@given(st.sets(st.integers(0, 20)))
def test_lowest_free_skips_what_is_taken(taken: set[int]) -> None:
    pool = AddressRange(v4(100), v4(110))

    free = pool.lowest_free({str(v4(100 + number)) for number in taken})

    left = [number for number in range(11) if number not in taken]
    assert free == (v4(100 + left[0]) if left else None)


def test_ipv6_network_is_larger_than_python_can_count() -> None:
    pool = pool_range(start=None, end=None, subnet="fd00::/64", prefix=64, reserved=["fd00::1"])

    assert pool.size == 2**64 - 2
    assert len(pool) > 2**62
    assert str(pool.lowest_free(set())) == "fd00::2"


@given(st.integers(0, 2**32 - 300), st.integers(0, 250), st.integers(-5, 300), st.integers(-5, 300))
def test_slice_gives_the_addresses_between_two_places(first: int, size: int, begin: int, end: int) -> None:
    pool = AddressRange(v4(first), v4(first + size), frozenset({v4(first)}))

    whole = [v4(number) for number in range(first, first + size + 1)]
    assert pool.slice(begin, end) == whole[max(begin, 0) : max(end, 0)]
    assert pool.span == len(whole)


@given(
    st.integers(0, 2**128 - 2**17),
    st.integers(0, 2**16),
    st.sets(st.integers(0, 2**16), max_size=20),
)
def test_ipv6_size_leaves_out_what_is_reserved(first: int, size: int, holes: set[int]) -> None:
    reserved = frozenset(ipaddress.IPv6Address(first + hole) for hole in holes)
    pool = AddressRange(ipaddress.IPv6Address(first), ipaddress.IPv6Address(first + size), reserved)

    assert pool.size == size + 1 - sum(1 for hole in holes if hole <= size)
    assert all(address not in pool for address in pool.reserved_inside)
