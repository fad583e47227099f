"""What a vCenter offers to build on, read in one paged sweep: a round trip per thousand objects."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypeVar
from urllib.parse import unquote

from palette_portal.vsphere.properties import Properties, Traversal, collect
from palette_portal.vsphere.session import VCenter

NetworkKind = Literal["standard", "distributed", "opaque"]

UPLINK_NAME = "-DVUplinks-"  # vCenter's own naming, for servers that neither tag nor list them
UPLINK_TAG = "SYSTEM/DVS.UPLINKPG"
SWITCHES = ("DistributedVirtualSwitch", "VmwareDistributedVirtualSwitch")
NETWORK_KINDS: dict[str, NetworkKind] = {
    "Network": "standard",
    "DistributedVirtualPortgroup": "distributed",
    "OpaqueNetwork": "opaque",
}

TRAVERSALS = (
    Traversal("Folder", "childEntity"),
    Traversal("Datacenter", "vmFolder"),
    Traversal("Datacenter", "hostFolder"),
    Traversal("Datacenter", "datastoreFolder"),
    Traversal("Datacenter", "networkFolder"),
    Traversal("ComputeResource", "resourcePool"),
    Traversal("ComputeResource", "host"),
    Traversal("ResourcePool", "resourcePool"),
)
NETWORK_PATHS = ("name", "parent", "tag", "summary.accessible")
SWITCH_PATHS = ("name", "config.uplinkPortgroup")
WANTED: dict[str, tuple[str, ...]] = {
    "Datacenter": ("name", "parent", "vmFolder"),
    "Folder": ("name", "parent", "childType"),
    "ComputeResource": ("name", "parent"),
    "ClusterComputeResource": ("name", "parent", "datastore", "network", "resourcePool"),
    "HostSystem": (
        "name",
        "parent",
        "datastore",
        "network",
        "runtime.connectionState",
        "runtime.inMaintenanceMode",
    ),
    "ResourcePool": ("name", "parent", "owner"),
    "Datastore": (
        "name",
        "parent",
        "summary.capacity",
        "summary.freeSpace",
        "summary.accessible",
        "summary.maintenanceMode",
        "summary.type",
    ),
    "Network": NETWORK_PATHS,
    "DistributedVirtualPortgroup": (*NETWORK_PATHS, "key", "config.distributedVirtualSwitch"),
    "OpaqueNetwork": NETWORK_PATHS,
    "DistributedVirtualSwitch": SWITCH_PATHS,
    "VmwareDistributedVirtualSwitch": SWITCH_PATHS,
}


@dataclass(frozen=True)
class Datacenter:
    moid: str
    name: str
    path: str


@dataclass(frozen=True)
class ComputeCluster:
    moid: str
    name: str
    datacenter_moid: str
    root_pool_moid: str
    host_moids: tuple[str, ...]
    datastore_moids: tuple[str, ...]
    network_moids: tuple[str, ...]


@dataclass(frozen=True)
class Host:
    moid: str
    name: str
    datacenter_moid: str
    compute_cluster_moid: str
    datastore_moids: tuple[str, ...]
    network_moids: tuple[str, ...]
    connected: bool
    in_maintenance: bool


@dataclass(frozen=True)
class Datastore:
    moid: str
    name: str
    datacenter_moid: str
    kind: str
    capacity_bytes: int
    free_bytes: int
    accessible: bool
    in_maintenance: bool
    host_moids: tuple[str, ...]


@dataclass(frozen=True)
class Network:
    moid: str
    name: str
    datacenter_moid: str
    kind: NetworkKind
    switch_name: str
    accessible: bool
    host_moids: tuple[str, ...]


@dataclass(frozen=True)
class ResourcePool:
    moid: str
    name: str
    datacenter_moid: str
    compute_cluster_moid: str
    compute_cluster_name: str
    path: str


@dataclass(frozen=True)
class Folder:
    moid: str
    name: str
    datacenter_moid: str
    path: str


@dataclass(frozen=True)
class Inventory:
    datacenters: tuple[Datacenter, ...]
    compute_clusters: tuple[ComputeCluster, ...]
    hosts: tuple[Host, ...]
    datastores: tuple[Datastore, ...]
    networks: tuple[Network, ...]
    resource_pools: tuple[ResourcePool, ...]
    folders: tuple[Folder, ...]
    read_at: datetime = field(default_factory=lambda: datetime.now(UTC), compare=False)


Item = TypeVar("Item", Datacenter, ComputeCluster, Host, Datastore, Network, ResourcePool, Folder)


def read_inventory(vcenter: VCenter) -> Inventory:
    return _Tree(collect(vcenter, [vcenter.content.rootFolder], WANTED, TRAVERSALS)).inventory()


def inventory_of(found: Iterable[Properties]) -> Inventory:
    """Of objects read elsewhere, with at least what `WANTED` names."""
    return _Tree(found).inventory()


def plain_name(name: str) -> str:
    """vSphere writes /, \\ and % in names as %2f, %5c and %25."""
    return unquote(name)


class _Tree:
    """The sweep's objects by id, with the questions that need their parents."""

    def __init__(self, found: Iterable[Properties]) -> None:
        self.objects = {properties.moid: properties for properties in found}
        self.uplinks = {
            moid for found in self._of(*SWITCHES) for moid in found.moids_at("config.uplinkPortgroup")
        }
        self.hosts = [self._host(host) for host in self._of("HostSystem")]

    def inventory(self) -> Inventory:
        return Inventory(
            datacenters=_sorted(self._datacenter(found) for found in self._of("Datacenter")),
            compute_clusters=_sorted(self._cluster(found) for found in self._of("ClusterComputeResource")),
            hosts=_sorted(self.hosts),
            datastores=_sorted(self._datastore(found) for found in self._of("Datastore")),
            networks=_sorted(
                self._network(found) for found in self._of(*NETWORK_KINDS) if not self._is_uplink(found)
            ),
            resource_pools=_sorted(
                self._pool(found)
                for found in self._of("ResourcePool")
                if self._kind(found.moid_at("owner")) == "ClusterComputeResource"
            ),
            folders=_sorted(
                self._folder(found) for found in self._of("Folder") if self._holds_machines(found)
            ),
        )

    def _of(self, *kinds: str) -> list[Properties]:
        return [found for found in self.objects.values() if found.kind in kinds]

    def _kind(self, moid: str) -> str:
        return self.objects[moid].kind if moid in self.objects else ""

    def _name(self, moid: str) -> str:
        return plain_name(self.objects[moid].get("name", "")) if moid in self.objects else ""

    def _ancestors(self, found: Properties) -> list[Properties]:
        """Parent first, up to the root."""
        chain: list[Properties] = []
        parent = self.objects.get(found.moid_at("parent"))
        while parent is not None:
            chain.append(parent)
            parent = self.objects.get(parent.moid_at("parent"))
        return chain

    def _datacenter_moid(self, found: Properties) -> str:
        return next((above.moid for above in self._ancestors(found) if above.kind == "Datacenter"), "")

    def _path(self, found: Properties, *, below: str) -> str:
        """Names from just below the ancestor with this id down to the object."""
        names = [self._name(found.moid)]
        for above in self._ancestors(found):
            if above.moid == below:
                break
            names.append(self._name(above.moid))
        return "/".join(reversed(names))

    def _holds_machines(self, folder: Properties) -> bool:
        return "VirtualMachine" in _type_names(folder) and bool(self._datacenter_moid(folder))

    def _is_uplink(self, network: Properties) -> bool:
        tagged = any(tag.key == UPLINK_TAG for tag in network.get("tag", ()))
        return tagged or network.moid in self.uplinks or UPLINK_NAME in network.get("name", "")

    def _datacenter(self, found: Properties) -> Datacenter:
        ancestors = self._ancestors(found)
        root = ancestors[-1].moid if ancestors else ""
        return Datacenter(found.moid, self._name(found.moid), self._path(found, below=root))

    def _cluster(self, found: Properties) -> ComputeCluster:
        return ComputeCluster(
            moid=found.moid,
            name=self._name(found.moid),
            datacenter_moid=self._datacenter_moid(found),
            root_pool_moid=found.moid_at("resourcePool"),
            host_moids=tuple(host.moid for host in self.hosts if host.compute_cluster_moid == found.moid),
            datastore_moids=found.moids_at("datastore"),
            network_moids=found.moids_at("network"),
        )

    def _host(self, found: Properties) -> Host:
        parent = found.moid_at("parent")
        return Host(
            moid=found.moid,
            name=self._name(found.moid),
            datacenter_moid=self._datacenter_moid(found),
            compute_cluster_moid=parent if self._kind(parent) == "ClusterComputeResource" else "",
            datastore_moids=found.moids_at("datastore"),
            network_moids=found.moids_at("network"),
            connected=found.get("runtime.connectionState", "connected") == "connected",
            in_maintenance=bool(found.get("runtime.inMaintenanceMode", False)),
        )

    def _datastore(self, found: Properties) -> Datastore:
        return Datastore(
            moid=found.moid,
            name=self._name(found.moid),
            datacenter_moid=self._datacenter_moid(found),
            kind=found.get("summary.type", ""),
            capacity_bytes=found.get("summary.capacity", 0),
            free_bytes=found.get("summary.freeSpace", 0),
            accessible=bool(found.get("summary.accessible", False)),
            in_maintenance=found.get("summary.maintenanceMode", "normal") != "normal",
            host_moids=tuple(host.moid for host in self.hosts if found.moid in host.datastore_moids),
        )

    def _network(self, found: Properties) -> Network:
        return Network(
            moid=found.moid,
            name=self._name(found.moid),
            datacenter_moid=self._datacenter_moid(found),
            kind=NETWORK_KINDS[found.kind],
            switch_name=self._name(found.moid_at("config.distributedVirtualSwitch")),
            accessible=bool(found.get("summary.accessible", True)),
            host_moids=tuple(host.moid for host in self.hosts if found.moid in host.network_moids),
        )

    def _pool(self, found: Properties) -> ResourcePool:
        owner = found.moid_at("owner")
        return ResourcePool(
            moid=found.moid,
            name=self._name(found.moid),
            datacenter_moid=self._datacenter_moid(found),
            compute_cluster_moid=owner,
            compute_cluster_name=self._name(owner),
            path=self._path(found, below=owner),
        )

    def _folder(self, found: Properties) -> Folder:
        """The datacenter's root folder for machines has the empty path."""
        datacenter = self._datacenter_moid(found)
        root = self.objects[datacenter].moid_at("vmFolder")
        path = "" if found.moid == root else self._path(found, below=root)
        return Folder(found.moid, self._name(found.moid), datacenter, path)


def _sorted(items: Iterable[Item]) -> tuple[Item, ...]:
    return tuple(sorted(items, key=lambda item: (item.name.casefold(), item.moid)))


def _type_names(folder: Properties) -> set[str]:
    return {getattr(kind, "__name__", str(kind)).rpartition(".")[2] for kind in folder.get("childType", ())}
