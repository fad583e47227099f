"""How often a person may make the portal log in to a vCenter, and at which addresses nobody may.

Otherwise whoever configures gateways could look around in the portal's own network, or guess logins.
"""

import ipaddress
import socket
from time import time

from django.conf import settings
from django.core.cache import cache

from gateways.time_limit import within
from palette_portal.http import Conflict
from palette_portal.tenants.models import User
from palette_portal.vsphere.endpoint import parse_server

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

CHECKS_PER_MINUTE = 20
RESOLVE_SECONDS = 5.0


class CheckRefused(Conflict):
    """vCenter is not asked; `reason` is the sentence for the person."""


def check_allowed(*, by: User, server: str) -> None:
    """Call before a server that a person typed is connected to. Raise CheckRefused."""
    _count(by)
    _check_address(server)


def _count(by: User) -> None:
    key = f"vcenter-checks:{by.pk}:{int(time() // 60)}"
    before = cache.get(key, 0)
    if before >= CHECKS_PER_MINUTE:
        raise CheckRefused(
            f"You checked a vCenter {CHECKS_PER_MINUTE} times within a minute. Wait a minute, then try again."
        )
    cache.set(key, before + 1, 120)


def _check_address(server: str) -> None:
    addresses = within(RESOLVE_SECONDS, lambda: _resolve(server))
    if addresses is None:
        raise CheckRefused(f"The name {server} was not resolved within {RESOLVE_SECONDS:.0f} seconds.")
    denied = [ipaddress.ip_network(network) for network in settings.VSPHERE_DENIED_NETWORKS]
    for address in addresses:
        if any(address in network for network in denied):
            raise CheckRefused(
                f"{server} leads to {address}. The portal does not connect to addresses of that network."
            )


def _resolve(server: str) -> list[IPAddress]:
    """No address for a name that is unknown: the check that follows says so better."""
    endpoint = parse_server(server)
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [_plain(str(address[0])) for *_, address in found]


def _plain(text: str) -> IPAddress:
    """Without a zone ("%eth0"), and IPv4 that is dressed up as IPv6 as IPv4."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
