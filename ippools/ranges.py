"""Address arithmetic for pools: IPv4 and IPv6, no model, no database."""

import ipaddress
import sys
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class AddressRange:
    """First to last address, both included, less the reserved ones. Iterates lowest first."""

    first: IPAddress
    last: IPAddress
    reserved: frozenset[IPAddress] = frozenset()

    def __contains__(self, address: object) -> bool:
        parsed = ipaddress.ip_address(str(address))
        return self.covers(parsed) and parsed not in self.reserved

    def __len__(self) -> int:
        """As `size`, as far as Python lets a length go."""
        return max(0, min(self.size, sys.maxsize))

    @property
    def span(self) -> int:
        """How many addresses lie from first to last, the reserved ones included."""
        return int(self.last) - int(self.first) + 1

    @property
    def size(self) -> int:
        """How many may be handed out. An IPv6 network has more than `len` can say."""
        return self.span - len(self.reserved_inside)

    @cached_property
    def reserved_inside(self) -> list[IPAddress]:
        return sorted((address for address in self.reserved if self.covers(address)), key=int)

    def slice(self, begin: int, end: int) -> list[IPAddress]:
        """Addresses by their place from the first, the reserved ones included."""
        kind, first = type(self.first), int(self.first)
        return [kind(first + place) for place in range(max(begin, 0), min(end, self.span))]

    def __iter__(self) -> Iterator[IPAddress]:
        kind = type(self.first)
        for number in range(int(self.first), int(self.last) + 1):
            if (address := kind(number)) not in self.reserved:
                yield address

    def overlaps(self, other: "AddressRange") -> bool:
        if self.first.version != other.first.version:
            return False
        return int(self.first) <= int(other.last) and int(other.first) <= int(self.last)

    def lowest_free(self, taken: Container[str]) -> IPAddress | None:
        return next((address for address in self if str(address) not in taken), None)

    def covers(self, address: IPAddress) -> bool:
        """Whether it lies from first to last, the reserved ones included."""
        return address.version == self.first.version and int(self.first) <= int(address) <= int(self.last)


def edges(network: IPNetwork) -> frozenset[IPAddress]:
    """What no host may have: the network and (IPv4) broadcast address; none in the tiniest networks."""
    if network.num_addresses <= 2:
        return frozenset()
    if network.version == 6:
        return frozenset({network.network_address})
    return frozenset({network.network_address, network.broadcast_address})


def pool_range(
    *, start: str | None, end: str | None, subnet: str, prefix: int, reserved: Sequence[str]
) -> AddressRange:
    """The addresses a pool may hand out. Raise ValueError when the texts are not addresses of one family."""
    if subnet:
        cidr = ipaddress.ip_network(subnet, strict=False)
        first, last = cidr.network_address, cidr.broadcast_address
        blocked = edges(cidr)
    else:
        first, last = ipaddress.ip_address(str(start)), ipaddress.ip_address(str(end))
        blocked = frozenset()
    if first.version != last.version:
        raise ValueError("Start and End are of different address families.")
    network = ipaddress.ip_network(f"{first}/{prefix}", strict=False)
    blocked |= edges(network) | {ipaddress.ip_address(address) for address in reserved}
    return AddressRange(first, last, blocked)
