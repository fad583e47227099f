"""From the values of the wizard's address page to a pool and to the cluster's own networks."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError

from gateways.models import PrivateCloudGateway
from gateways.networks import ClusterNetworks, IPNetwork, choose_networks
from ippools.actions import InvalidPool, PoolValues
from ippools.models import IPPool, NetworkType

NEW_POOL = "new"


def pool_values(values: Mapping[str, Any]) -> PoolValues:
    """Raise InvalidPool when the prefix is missing or no number."""
    is_subnet = values["network_type"] == NetworkType.SUBNET
    subnet = str(values["subnet"] or "") if is_subnet else ""
    return PoolValues(
        name=str(values["name"] or ""),
        network_type=NetworkType(values["network_type"]),
        prefix=_prefix(str(values["subnet_prefix"] or ""), subnet),
        gateway_address=str(values["gateway_address"] or ""),
        start="" if is_subnet else str(values["start"] or ""),
        end="" if is_subnet else str(values["end"] or ""),
        subnet=subnet,
        name_servers=_parts(values["name_servers"]),
        search_suffixes=_parts(values["search_suffixes"]),
        restrict_to_single_cluster=is_ticked(values["restrict_to_single_cluster"]),
    )


def is_ticked(value: object) -> bool:
    """A checkbox, cleaned or as it was sent or as it travelled hidden."""
    return value in (True, "True", "on")


def find_pool(gateway: PrivateCloudGateway, pool_id: str) -> IPPool:
    """Raise IPPool.DoesNotExist."""
    try:
        return IPPool.objects.get(gateway=gateway, pk=pool_id)
    except ValidationError as error:
        raise IPPool.DoesNotExist from error


def occupied_networks(gateway: PrivateCloudGateway, values: Mapping[str, Any]) -> list[IPNetwork]:
    """Where the nodes and the control plane endpoint will be, as far as it is known."""
    if values["scheme"] == "dhcp":
        return _host_network(values["control_plane_endpoint"])
    if values["pool"] != NEW_POOL:
        return [find_pool(gateway, values["pool"]).network]
    new = pool_values(values)
    return [ipaddress.ip_network(f"{new.gateway_address}/{new.prefix}", strict=False)]


def cluster_networks(gateway: PrivateCloudGateway, occupied: Sequence[IPNetwork]) -> ClusterNetworks:
    """Raise NetworksOverlap."""
    return choose_networks(
        pod_cidr=gateway.pod_cidr,
        service_cidr=gateway.service_cidr,
        occupied=occupied,
        avoid=_host_network(gateway.installer_ip or ""),
    )


def _prefix(text: str, subnet: str) -> int:
    text = text or subnet.partition("/")[2]
    if not text.isascii() or not text.isdigit():
        raise InvalidPool("prefix", "Enter the length of the network prefix, such as 24.")
    return int(text)


def _parts(value: Any) -> tuple[str, ...]:
    parts = re.split(r"[\s,;]+", value) if isinstance(value, str) else value or ()
    return tuple(part for part in parts if part)


def _host_network(text: str) -> list[IPNetwork]:
    try:
        return [ipaddress.ip_network(text)]
    except ValueError:
        return []
