"""The one set of rules that says which values make a pool: for the pages, the wizards and the actions."""

import ipaddress
import itertools
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from gateways.models import CloudAccount, GatewayQuerySet, PrivateCloudGateway
from ippools.models import IPPool, IPPoolQuerySet, NetworkType
from ippools.ranges import AddressRange, pool_range
from palette_portal.http import Conflict


class InvalidPool(Exception):
    """The values do not make a pool; `field` names the one to change, `message` says why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class PoolsOverlap(Conflict):
    """Pools of two gateways on one vCenter have an address in common."""


@dataclass(frozen=True)
class PoolValues:
    """What a person types to make a pool: start and end for a Range, subnet for a Subnet."""

    name: str
    network_type: NetworkType
    prefix: int
    gateway_address: str
    start: str = ""
    end: str = ""
    subnet: str = ""
    name_servers: tuple[str, ...] = ()
    search_suffixes: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    restrict_to_single_cluster: bool = False

    @property
    def is_subnet(self) -> bool:
        return self.network_type == NetworkType.SUBNET


def check_pool(
    values: PoolValues, *, gateway: PrivateCloudGateway, pool: IPPool | None = None
) -> AddressRange:
    """Raise InvalidPool unless the values make a pool that can live beside the gateway's others.

    `pool` is the one that is edited, if any.
    """
    addresses = _parse_addresses(values)
    _check_network(values, addresses)
    others = IPPool.objects.exclude(pk=pool.pk) if pool else IPPool.objects.all()
    _check_name(values.name.strip(), others.filter(gateway=gateway))
    _check_beside(values, addresses, others.filter(_may_share_a_network(gateway)))
    if pool:
        _check_held(values, addresses, pool)
    return addresses


def check_pools_fit(gateway: PrivateCloudGateway, vcenter_server: str) -> None:
    """Raise PoolsOverlap if the gateway's pools would meet others with their addresses on this vCenter."""
    pools = IPPool.objects.filter(gateway=gateway)
    on_it = _gateways_on(Q(vcenter_server=vcenter_server), gateway.tenant_id)
    others = IPPool.objects.filter(gateway__in=on_it)
    for pool, other in itertools.product(pools, others.exclude(gateway=gateway).select_related("gateway")):
        if pool.addresses.overlaps(other.addresses):
            raise PoolsOverlap(
                f"The IP pool {_described(pool)} of {gateway} overlaps with {_described(other)} of"
                f" {other.gateway}, which is on {vcenter_server} too. Change one of them first."
            )


def find_pool_of(address: str, *, gateway: PrivateCloudGateway) -> IPPool | None:
    """The pool that may give this address to a machine in a network that the gateway may use."""
    pools = IPPool.objects.filter(_may_share_a_network(gateway))
    return next((pool for pool in pools if address in pool.addresses), None)


def _parse_addresses(values: PoolValues) -> AddressRange:
    for name in ["subnet"] if values.is_subnet else ["start", "end"]:
        _parse(name, getattr(values, name), subnet=values.is_subnet)
    _parse("gateway_address", values.gateway_address)
    for name in ("name_servers", "excluded"):
        for address in getattr(values, name):
            _parse(name, address)
    try:
        return pool_range(
            start=values.start or None,
            end=values.end or None,
            subnet=values.subnet if values.is_subnet else "",
            prefix=values.prefix,
            reserved=[values.gateway_address, *values.excluded],
        )
    except ValueError as error:
        field = "end" if "families" in str(error) else "prefix"
        raise InvalidPool(field, str(error) if field == "end" else _bad_prefix(values)) from None


def _parse(field: str, text: str, *, subnet: bool = False) -> None:
    try:
        if subnet:
            ipaddress.ip_network(text if "/" in text else "")
        else:
            ipaddress.ip_address(text)
    except ValueError:
        example = "a network such as 10.10.183.64/26" if subnet else "an IP address such as 10.10.183.1"
        raise InvalidPool(field, f"{text or 'This'} is not {example}.") from None


def _bad_prefix(values: PoolValues) -> str:
    return f"/{values.prefix} is not a prefix length for these addresses."


def _check_network(values: PoolValues, addresses: AddressRange) -> None:
    if int(addresses.first) > int(addresses.last):
        raise InvalidPool("end", f"End {addresses.last} comes before Start {addresses.first}.")
    network = ipaddress.ip_network(f"{addresses.first}/{values.prefix}", strict=False)
    if addresses.last not in network:
        field = "subnet" if values.subnet else "end"
        raise InvalidPool(
            field, f"{addresses.last} is outside of {network}, the network of the first address."
        )
    if ipaddress.ip_address(values.gateway_address) not in network:
        raise InvalidPool("gateway_address", f"Gateway {values.gateway_address} is outside of {network}.")
    if addresses.size < 1:
        raise InvalidPool("end", "No address is left beside the gateway and the excluded ones.")
    for address in values.excluded:
        if not addresses.covers(ipaddress.ip_address(address)):
            raise InvalidPool("excluded", f"{address} is not from {addresses.first} to {addresses.last}.")


def _check_name(name: str, others: IPPoolQuerySet) -> None:
    if not name:
        raise InvalidPool("name", "Give the pool a name.")
    if others.filter(name=name).exists():
        raise InvalidPool("name", f"The gateway has an IP pool {name} already.")


def _may_share_a_network(gateway: PrivateCloudGateway) -> Q:
    """Pools that may hand out addresses of the same networks: the gateway's own, and its vCenters'.

    A gateway works on the vCenter that it was configured for and on those of its cloud accounts; the system
    gateway has only these.
    """
    on_them = Q(vcenter_server__in=gateway.cloud_accounts.values("vcenter_server"))
    if gateway.vcenter_server:
        on_them |= Q(vcenter_server=gateway.vcenter_server)
    return Q(gateway=gateway) | Q(gateway__in=_gateways_on(on_them, gateway.tenant_id))


def _gateways_on(vcenter: Q, tenant_id: UUID) -> GatewayQuerySet:
    """`vcenter` is a condition on the column that gateways and cloud accounts both have."""
    accounts = CloudAccount.objects.filter(vcenter, tenant_id=tenant_id)
    gateways = PrivateCloudGateway.objects.present().filter(tenant_id=tenant_id)
    return gateways.filter(vcenter | Q(pk__in=accounts.values("gateway")))


def _check_beside(values: PoolValues, addresses: AddressRange, others: IPPoolQuerySet) -> None:
    for other in others:
        if addresses.overlaps(other.addresses):
            field = "subnet" if values.subnet else "start"
            raise InvalidPool(field, f"These addresses overlap with the IP pool {_described(other)}.")


def _described(pool: IPPool) -> str:
    return f"{pool.name} ({pool.addresses.first} to {pool.addresses.last})"


def _check_held(values: PoolValues, addresses: AddressRange, pool: IPPool) -> None:
    """An address in use cannot leave its pool, nor become one that is never handed out."""
    for claim in pool.claims.held():
        if claim.address in addresses:
            continue
        field = _field_that_drops(ipaddress.ip_address(claim.address), values, addresses)
        raise InvalidPool(
            field,
            f"{claim.address} is used by {claim.owner_name} and has to stay in the pool until released.",
        )


def _field_that_drops(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, values: PoolValues, addresses: AddressRange
) -> str:
    if address == ipaddress.ip_address(values.gateway_address):
        return "gateway_address"
    if str(address) in values.excluded or address in map(ipaddress.ip_address, values.excluded):
        return "excluded"
    if address in addresses.reserved:
        return "prefix"
    if values.is_subnet:
        return "subnet"
    return "start" if int(address) < int(addresses.first) else "end"
