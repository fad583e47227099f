"""IP pools and the addresses they hand out.

An address is held by at most one owner, and an owner holds at most one address per purpose, whoever asks how
often at the same time: every claim and release of a pool passes the lock on the pool's row.
"""

import ipaddress
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from gateways.models import PrivateCloudGateway
from ippools.models import IPAddressClaim, IPAddressClaimQuerySet, IPPool, NetworkType
from ippools.ranges import AddressRange, pool_range
from palette_portal.http import Conflict
from palette_portal.tenants import audit
from palette_portal.tenants.models import User

# Beside its nodes a cluster needs the virtual IP of its API, and one more for the node that a rolling
# replacement adds before it removes one.
VIRTUAL_ADDRESSES = 1
SPARE_ADDRESSES = 1


class InvalidPool(Exception):
    """The values do not make a pool; `field` names the one to change, `message` says why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class PoolUnavailable(Conflict):
    """The pool cannot give what is asked for."""


class PoolExhausted(PoolUnavailable):
    pass


class PoolReserved(PoolUnavailable):
    pass


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


def needed_addresses(nodes: int) -> int:
    return nodes + VIRTUAL_ADDRESSES + SPARE_ADDRESSES


def free_count(pool: IPPool) -> int:
    held = pool.claims.held().values_list("address", flat=True)
    addresses = pool.addresses
    return len(addresses) - sum(1 for address in held if address in addresses)


def check_pool(values: PoolValues, *, gateway: PrivateCloudGateway) -> AddressRange:
    """Raise InvalidPool unless the values make a pool that can live beside the gateway's others."""
    addresses = _parse_addresses(values)
    _check_network(values, addresses)
    _check_beside_others(values, addresses, gateway)
    return addresses


@transaction.atomic
def create_pool(*, gateway: PrivateCloudGateway, values: PoolValues, by: User) -> IPPool:
    """Raise InvalidPool."""
    PrivateCloudGateway.objects.select_for_update().get(pk=gateway.pk)
    check_pool(values, gateway=gateway)
    pool = IPPool.objects.create(
        tenant_id=gateway.tenant_id,
        gateway=gateway,
        name=values.name.strip(),
        network_type=values.network_type,
        start=values.start or None,
        end=values.end or None,
        subnet=values.subnet,
        prefix=values.prefix,
        gateway_address=values.gateway_address,
        name_servers=list(values.name_servers),
        search_suffixes=list(values.search_suffixes),
        excluded=list(values.excluded),
        restrict_to_single_cluster=values.restrict_to_single_cluster,
        created_by=by,
    )
    audit.record(
        by=by,
        action="create",
        obj_kind="ip-pool",
        obj_id=pool.pk,
        obj_name=pool.name,
        tenant=gateway.tenant,
        gateway=gateway.display_name,
    )
    return pool


def check_can_serve(pool: IPPool, *, nodes: int, cluster_id: UUID | None = None) -> None:
    """Raise PoolReserved or PoolExhausted unless the pool has room for a new cluster of so many nodes."""
    if pool.reserved_for not in (None, cluster_id):
        raise _reserved(pool)
    needed, free = needed_addresses(nodes), free_count(pool)
    if free < needed:
        raise PoolExhausted(
            f"The IP pool {pool.name} has {_addresses(free)} free, and {needed} are needed: "
            f"{nodes} for nodes, {VIRTUAL_ADDRESSES} for the virtual IP and {SPARE_ADDRESSES} extra."
        )


@transaction.atomic
def claim_address(
    pool: IPPool, *, cluster_id: UUID, owner_kind: str, owner_id: UUID, owner_name: str, purpose: str
) -> IPAddressClaim:
    """Return the owner's claim for the purpose, made now if there is none: the lowest free address.

    Raise PoolReserved or PoolExhausted.
    """
    locked = IPPool.objects.select_for_update().get(pk=pool.pk)
    held = IPAddressClaim.objects.held().filter(owner_id=owner_id, purpose=purpose).first()
    if held:
        return held
    _reserve(locked, cluster_id)
    return IPAddressClaim.objects.create(
        pool=locked,
        address=_lowest_free(locked),
        cluster_id=cluster_id,
        owner_kind=owner_kind,
        owner_id=owner_id,
        owner_name=owner_name,
        purpose=purpose,
    )


def release_address(*, owner_id: UUID, purpose: str) -> int:
    return _release(IPAddressClaim.objects.held().filter(owner_id=owner_id, purpose=purpose))


def release_addresses(*, cluster_id: UUID) -> int:
    """Release all that a cluster still holds; return how many these were."""
    return _release(IPAddressClaim.objects.held().filter(cluster_id=cluster_id))


@transaction.atomic
def _release(claims: IPAddressClaimQuerySet) -> int:
    pool_ids = set(claims.values_list("pool_id", flat=True))
    # Locked in one order, so that two releases never wait for each other.
    pools = list(IPPool.objects.filter(pk__in=pool_ids).order_by("pk").select_for_update())
    released = claims.update(released_at=timezone.now())
    for pool in pools:
        if pool.reserved_for and not pool.claims.held().exists():
            IPPool.objects.filter(pk=pool.pk).update(reserved_for=None)
    return released


def _reserve(pool: IPPool, cluster_id: UUID) -> None:
    if pool.reserved_for not in (None, cluster_id):
        raise _reserved(pool)
    if not pool.restrict_to_single_cluster or pool.reserved_for:
        return
    if pool.claims.held().exclude(cluster_id=cluster_id).exists():
        raise _reserved(pool)
    pool.reserved_for = cluster_id
    pool.save(update_fields=["reserved_for"])


def _reserved(pool: IPPool) -> PoolReserved:
    return PoolReserved(f"The IP pool {pool.name} is restricted to one cluster, and another cluster uses it.")


def _lowest_free(pool: IPPool) -> str:
    address = pool.addresses.lowest_free(set(pool.claims.held().values_list("address", flat=True)))
    if address is None:
        raise PoolExhausted(f"The IP pool {pool.name} has no free address left.")
    return str(address)


def _addresses(count: int) -> str:
    return "1 address" if count == 1 else f"{count} addresses"


def _parse_addresses(values: PoolValues) -> AddressRange:
    is_subnet = values.network_type == NetworkType.SUBNET
    names = ["subnet"] if is_subnet else ["start", "end"]
    for name in names:
        _parse(name, getattr(values, name), subnet=is_subnet)
    _parse("gateway_address", values.gateway_address)
    for name in ("name_servers", "excluded"):
        for address in getattr(values, name):
            _parse(name, address)
    try:
        return pool_range(
            start=values.start or None,
            end=values.end or None,
            subnet=values.subnet if is_subnet else "",
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
    if len(addresses) < 1:
        raise InvalidPool("end", "No address is left beside the gateway and the excluded ones.")


def _check_beside_others(values: PoolValues, addresses: AddressRange, gateway: PrivateCloudGateway) -> None:
    if not values.name.strip():
        raise InvalidPool("name", "Give the pool a name.")
    if gateway.ip_pools.filter(name=values.name.strip()).exists():
        raise InvalidPool("name", f"The gateway has an IP pool {values.name.strip()} already.")
    for other in _neighbours(gateway):
        if addresses.overlaps(other.addresses):
            field = "subnet" if values.subnet else "start"
            whole = f"{other.addresses.first} to {other.addresses.last}"
            raise InvalidPool(field, f"These addresses overlap with the IP pool {other.name} ({whole}).")


def _neighbours(gateway: PrivateCloudGateway) -> list[IPPool]:
    """Pools that may hand out addresses of the same networks: the gateway's own, and its vCenter's."""
    gateways = PrivateCloudGateway.objects.present().filter(tenant_id=gateway.tenant_id)
    same_vcenter = gateways.exclude(vcenter_server="").filter(vcenter_server=gateway.vcenter_server)
    return list(IPPool.objects.filter(Q(gateway=gateway) | Q(gateway__in=same_vcenter)))
