"""The addresses of a pool as its page lists them: a page of rows, whatever the size of the pool."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ippools.models import IPAddressClaim, IPPool, ReturnedAddress
from ippools.ranges import IPAddress

ROWS_PER_PAGE = 64


@dataclass(frozen=True)
class AddressRow:
    address: str
    state: str  # Free, Used, Resting or Reserved
    claim: IPAddressClaim | None = None
    free_at: datetime | None = None
    reason: str = ""


# How many there are, and how to get those between two places.
Listing = tuple[int, Callable[[int, int], list[AddressRow]]]


@dataclass(frozen=True)
class AddressPage:
    rows: list[AddressRow]
    number: int
    last_number: int
    first_row: int
    total: int

    @property
    def previous_number(self) -> int:
        return self.number - 1

    @property
    def next_number(self) -> int:
        return self.number + 1

    @property
    def last_row(self) -> int:
        return self.first_row + len(self.rows) - 1


def address_page(pool: IPPool, *, shown: str, number: int) -> AddressPage:
    """Page `number` of all addresses, or of only those that are used, resting or reserved."""
    total, rows_between = LISTINGS.get(shown, _all)(pool)
    last = max(1, -(-total // ROWS_PER_PAGE))
    number = min(max(number, 1), last)
    begin = (number - 1) * ROWS_PER_PAGE
    rows = rows_between(begin, min(begin + ROWS_PER_PAGE, total))
    return AddressPage(rows, number, last, begin + 1, total)


def _all(pool: IPPool) -> Listing:
    addresses = pool.addresses
    return addresses.span, lambda begin, end: _rows(pool, addresses.slice(begin, end))


def _used(pool: IPPool) -> Listing:
    held = pool.claims.held().order_by("address")
    return held.count(), lambda begin, end: [
        AddressRow(claim.address, "Used", claim=claim) for claim in held[begin:end]
    ]


def _resting(pool: IPPool) -> Listing:
    resting = pool.returned.resting()
    return resting.count(), lambda begin, end: [_resting_row(row) for row in resting[begin:end]]


def _reserved(pool: IPPool) -> Listing:
    reserved = pool.addresses.reserved_inside
    return len(reserved), lambda begin, end: [_reserved_row(pool, address) for address in reserved[begin:end]]


LISTINGS = {"all": _all, "used": _used, "resting": _resting, "reserved": _reserved}


def _rows(pool: IPPool, addresses: list[IPAddress]) -> list[AddressRow]:
    if not addresses:
        return []
    between = {"address__gte": str(addresses[0]), "address__lte": str(addresses[-1])}
    held = {claim.address: claim for claim in pool.claims.held().filter(**between)}
    resting = {row.address: row for row in pool.returned.resting().filter(**between)}
    reserved = pool.addresses.reserved
    return [_row(pool, address, held, resting, is_reserved=address in reserved) for address in addresses]


def _row(
    pool: IPPool,
    address: IPAddress,
    held: dict[str, IPAddressClaim],
    resting: dict[str, ReturnedAddress],
    *,
    is_reserved: bool,
) -> AddressRow:
    if claim := held.get(str(address)):
        return AddressRow(str(address), "Used", claim=claim)
    if is_reserved:
        return _reserved_row(pool, address)
    if returned := resting.get(str(address)):
        return _resting_row(returned)
    return AddressRow(str(address), "Free")


def _resting_row(returned: ReturnedAddress) -> AddressRow:
    return AddressRow(returned.address, "Resting", free_at=returned.free_at)


def _reserved_row(pool: IPPool, address: IPAddress) -> AddressRow:
    return AddressRow(str(address), "Reserved", reason=_why_reserved(pool, address))


def _why_reserved(pool: IPPool, address: IPAddress) -> str:
    if address == ipaddress.ip_address(pool.gateway_address):
        return "Gateway of the network"
    if address in set(map(ipaddress.ip_address, pool.excluded)):
        return "Excluded"
    networks = [pool.network, *([ipaddress.ip_network(pool.subnet)] if pool.subnet else [])]
    if any(address == network.network_address for network in networks):
        return "Network address"
    return "Broadcast address"
