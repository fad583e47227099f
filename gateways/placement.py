"""Where a gateway's machines can go: what one vCenter offers, choice by choice, and whether it suffices."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from django.core.cache import cache

from gateways.drafts import credentials_of
from gateways.models import ConfigureDraft
from gateways.time_limit import TooManyAtOnce, within
from palette_portal.vsphere.capacity import Capacity, read_capacity
from palette_portal.vsphere.errors import Unreachable
from palette_portal.vsphere.inventory import (
    ComputeCluster,
    Datastore,
    Inventory,
    Network,
    read_inventory,
)
from palette_portal.vsphere.session import VCenter, sessions

# As vCenter counts, and as the step that checks the placement does.
GB = 1024**3
CACHE_SECONDS = 60
LIMIT_SECONDS = 25.0

Answer = TypeVar("Answer")

# Each choice follows the one it depends on.
CHOICES = ("datacenter", "folder", "compute_cluster", "resource_pool", "datastore", "network")
PARENT = {
    "folder": "datacenter",
    "compute_cluster": "datacenter",
    "resource_pool": "compute_cluster",
    "datastore": "compute_cluster",
    "network": "compute_cluster",
}
TITLES = {
    "datacenter": "Data Center",
    "folder": "Folder",
    "compute_cluster": "Compute Cluster",
    "resource_pool": "Resource pool",
    "datastore": "Datastore",
    "network": "Network",
}


@dataclass(frozen=True)
class NodeSize:
    num_cpus: int = 2
    memory_mib: int = 4096
    disk_gib: int = 60


NODE = NodeSize()
NOTHING = Inventory((), (), (), (), (), (), ())


@dataclass(frozen=True)
class Need:
    """What the whole gateway takes; disks are thin, so three nodes need less than three full disks."""

    num_cpus: int
    memory_gb: int
    disk_gb: int

    def __str__(self) -> str:
        return f"{self.num_cpus} vCPU, {self.memory_gb} GB of memory and {self.disk_gb} GB of disk"


NEEDS = {1: Need(2, 4, 60), 3: Need(6, 12, 70)}


@dataclass(frozen=True)
class Option:
    moid: str
    name: str
    note: str = ""


class Choices:
    """The options of each choice, given what was chosen before."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.clusters = {cluster.moid: cluster for cluster in inventory.compute_clusters}

    def options(self, choice: str, chosen: Mapping[str, str]) -> list[Option]:
        parent = chosen.get(PARENT.get(choice, ""), "")
        if choice != "datacenter" and not parent:
            return []
        options: list[Option] = getattr(self, f"_{choice}s")(parent)
        return options

    def name_of(self, choice: str, chosen: Mapping[str, str]) -> str:
        wanted = chosen.get(choice)
        return next((option.name for option in self.options(choice, chosen) if option.moid == wanted), "")

    def keep_existing(self, chosen: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
        """The choices that exist here, by id or else by name: another vCenter gives its objects other ids."""
        kept: dict[str, str] = {}
        for choice in CHOICES:
            options = self.options(choice, kept)
            same_name = [option.moid for option in options if option.name == names.get(choice)]
            if chosen.get(choice) in {option.moid for option in options}:
                kept[choice] = chosen[choice]
            elif len(same_name) == 1:
                kept[choice] = same_name[0]
        return kept

    def left_out(self, choice: str, chosen: Mapping[str, str]) -> str:
        """Why an object that people may look for is not among the options; empty if none is missing."""
        cluster = self.clusters.get(chosen.get("compute_cluster", ""))
        if cluster is None or choice not in ("datastore", "network"):
            return ""
        return self._opaque(cluster) if choice == "network" else self._unusable(cluster)

    def _datacenters(self, _parent: str) -> list[Option]:
        return [
            Option(datacenter.moid, datacenter.path or datacenter.name, self._size_of(datacenter.moid))
            for datacenter in self.inventory.datacenters
        ]

    def _size_of(self, datacenter_moid: str) -> str:
        count = sum(cluster.datacenter_moid == datacenter_moid for cluster in self.inventory.compute_clusters)
        return _count(count, "compute cluster")

    def _folders(self, datacenter_moid: str) -> list[Option]:
        return [
            Option(folder.moid, folder.path or "vm", "" if folder.path else "top folder")
            for folder in sorted(self.inventory.folders, key=lambda folder: folder.path.casefold())
            if folder.datacenter_moid == datacenter_moid
        ]

    def _compute_clusters(self, datacenter_moid: str) -> list[Option]:
        return [
            Option(cluster.moid, cluster.name, self._hosts_note(cluster))
            for cluster in self.inventory.compute_clusters
            if cluster.datacenter_moid == datacenter_moid
        ]

    def _hosts_note(self, cluster: ComputeCluster) -> str:
        usable = len(self.usable_hosts(cluster))
        total = _count(len(cluster.host_moids), "host")
        return total if usable == len(cluster.host_moids) else f"{usable} of {total} usable"

    def _resource_pools(self, compute_cluster_moid: str) -> list[Option]:
        return [
            Option(pool.moid, pool.path, pool.compute_cluster_name)
            for pool in sorted(self.inventory.resource_pools, key=lambda pool: pool.path.casefold())
            if pool.compute_cluster_moid == compute_cluster_moid
        ]

    def _datastores(self, compute_cluster_moid: str) -> list[Option]:
        cluster = self.clusters.get(compute_cluster_moid)
        return [
            Option(datastore.moid, datastore.name, free_space(datastore))
            for datastore in self.inventory.datastores
            if cluster and self._reaches(cluster, datastore) and _is_usable(datastore)
        ]

    def _networks(self, compute_cluster_moid: str) -> list[Option]:
        cluster = self.clusters.get(compute_cluster_moid)
        return [
            Option(network.moid, network.name, network.switch_name or "standard")
            for network in self.inventory.networks
            if cluster and self._reaches(cluster, network) and network.kind != "opaque"
        ]

    def usable_hosts(self, cluster: ComputeCluster) -> frozenset[str]:
        return frozenset(
            host.moid
            for host in self.inventory.hosts
            if host.compute_cluster_moid == cluster.moid and host.connected and not host.in_maintenance
        )

    def _reaches(self, cluster: ComputeCluster, target: Datastore | Network) -> bool:
        return not self.usable_hosts(cluster).isdisjoint(target.host_moids)

    def _opaque(self, cluster: ComputeCluster) -> str:
        names = [
            network.name
            for network in self.inventory.networks
            if network.kind == "opaque" and self._reaches(cluster, network)
        ]
        return f"Not offered: {_listed(names)} (opaque network, managed outside vCenter)." if names else ""

    def _unusable(self, cluster: ComputeCluster) -> str:
        names = [
            datastore.name
            for datastore in self.inventory.datastores
            if self._reaches(cluster, datastore) and not _is_usable(datastore)
        ]
        return f"Not offered: {_listed(names)} (not accessible or in maintenance)." if names else ""


def cached_inventory(draft: ConfigureDraft) -> Inventory | None:
    inventory: Inventory | None = cache.get(_cache_key(draft))
    return inventory


def fetch_inventory(draft: ConfigureDraft) -> Inventory:
    """Read it from vCenter and keep it for a minute. Raise VSphereError."""
    inventory = _ask(draft, read_inventory)
    cache.set(_cache_key(draft), inventory, CACHE_SECONDS)
    return inventory


def get_inventory(draft: ConfigureDraft) -> Inventory:
    return cached_inventory(draft) or fetch_inventory(draft)


def fetch_capacity(draft: ConfigureDraft, compute_cluster_moid: str) -> Capacity:
    return _ask(draft, lambda vcenter: read_capacity(vcenter, compute_cluster_moid))


def _ask(draft: ConfigureDraft, question: Callable[[VCenter], Answer]) -> Answer:
    credentials = credentials_of(draft)
    try:
        answer = within(LIMIT_SECONDS, lambda: question(sessions.get(credentials)))
    except TooManyAtOnce as busy:
        raise Unreachable(
            "The portal is busy asking vCenter for others.", "Try again in a few seconds."
        ) from busy
    if answer is None:
        raise Unreachable(
            f"{credentials.server} did not finish answering within {LIMIT_SECONDS:.0f} seconds."
        )
    return answer


def lacking_disk(inventory: Inventory, datastore_moid: str, nodes: int) -> str:
    """Why the datastore cannot take the gateway; empty if it can."""
    datastore = next(found for found in inventory.datastores if found.moid == datastore_moid)
    need_gb = NEEDS[nodes].disk_gb
    if datastore.free_bytes >= need_gb * GB:
        return ""
    return f"{datastore.name} has {free_space(datastore)}; {_gateway(nodes)} needs {need_gb} GB."


def capacity_warning(capacity: Capacity, cluster_name: str, nodes: int) -> str:
    """vSphere can promise more than it has, so scarce CPU or memory is a warning and no refusal."""
    need = NEEDS[nodes]
    free_memory_gb = capacity.free_memory_mib * 1024**2 / GB
    if capacity.cpu_cores >= need.num_cpus and free_memory_gb >= need.memory_gb:
        return ""
    return (
        f"{cluster_name} has {capacity.cpu_cores} cores and {free_memory_gb:.0f} GB of free memory; "
        f"{_gateway(nodes)} needs {need.num_cpus} vCPU and {need.memory_gb} GB. It may not start."
    )


def free_space(datastore: Datastore) -> str:
    return f"{size_in_words(datastore.free_bytes)} free of {size_in_words(datastore.capacity_bytes)}"


def size_in_words(size_bytes: float) -> str:
    if size_bytes >= 1024 * GB:
        return f"{size_bytes / GB / 1024:.1f} TB"
    return f"{size_bytes / GB:.0f} GB"


def _cache_key(draft: ConfigureDraft) -> str:
    credentials = credentials_of(draft)
    account = sha256(f"{credentials.server}\n{credentials.username}".encode()).hexdigest()[:16]
    return f"configure-inventory:{draft.gateway_id}:{account}"


def _is_usable(datastore: Datastore) -> bool:
    return datastore.accessible and not datastore.in_maintenance


def _gateway(nodes: int) -> str:
    return "a one-node gateway" if nodes == 1 else f"a gateway of {nodes} nodes"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(sorted(str(name) for name in names))
