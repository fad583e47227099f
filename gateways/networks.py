"""Which networks a cluster's pods and services get: the installer's, or defaults that fit."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

POD_CIDRS = {
    4: ("10.244.0.0/16", "172.20.0.0/16", "192.168.0.0/16"),
    6: ("fd00:10:244::/56", "fd00:172:20::/56"),
}
SERVICE_CIDRS = {
    4: ("10.96.0.0/12", "172.24.0.0/16", "192.168.0.0/16"),
    6: ("fd00:10:96::/112", "fd00:172:24::/112"),
}


class NetworksOverlap(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class ClusterNetworks:
    pods: IPNetwork
    services: IPNetwork


def choose_networks(
    *, pod_cidr: str, service_cidr: str, occupied: Sequence[IPNetwork], avoid: Sequence[IPNetwork] = ()
) -> ClusterNetworks:
    """Take the given CIDRs, or the first defaults that overlap nothing `occupied`. Raise NetworksOverlap.

    Defaults keep clear of the networks to `avoid` too, where that is possible.
    """
    version = occupied[0].version if occupied else 4
    given_services = [ipaddress.ip_network(service_cidr)] if service_cidr else []
    pods = _choose("pod CIDR", pod_cidr, POD_CIDRS[version], [*occupied, *given_services], avoid)
    services = _choose("service CIDR", service_cidr, SERVICE_CIDRS[version], [*occupied, pods], avoid)
    return ClusterNetworks(pods, services)


def overlap(one: IPNetwork, other: IPNetwork) -> bool:
    return one.version == other.version and one.overlaps(other)


def _choose(
    what: str, given: str, defaults: Sequence[str], occupied: Sequence[IPNetwork], avoid: Sequence[IPNetwork]
) -> IPNetwork:
    candidates = [ipaddress.ip_network(cidr) for cidr in ([given] if given else defaults)]
    apart = [candidate for candidate in candidates if not _overlaps_any(candidate, occupied)]
    if apart:
        return next((candidate for candidate in apart if not _overlaps_any(candidate, avoid)), apart[0])
    network = next(network for network in occupied if overlap(candidates[0], network))
    origin = "that was given to the installer" if given else "of the cluster"
    raise NetworksOverlap(f"{network} overlaps the {what} {candidates[0]} {origin}.")


def _overlaps_any(candidate: IPNetwork, networks: Sequence[IPNetwork]) -> bool:
    return any(overlap(candidate, network) for network in networks)
