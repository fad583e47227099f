"""The vSphere objects that a check is about: those that were chosen, else those that can be chosen."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gateways.prerequisites.report import Target
from gateways.prerequisites.scope import Scope
from palette_portal.vsphere.inventory import ComputeCluster, Datastore, Folder, Host, Inventory, Network
from palette_portal.vsphere.survey import Named, Survey

# vCenter's answer grows with it: a role's hundred ids for each object.
MOST_OBJECTS = 200

VSPHERE_KINDS = {
    "root": "Folder",
    "datacenter": "Datacenter",
    "folder": "Folder",
    "image-folder": "Folder",
    "template": "VirtualMachine",
    "compute-cluster": "ClusterComputeResource",
    "host": "HostSystem",
    "resource-pool": "ResourcePool",
    "datastore": "Datastore",
    "network": "Network",
    "switch": "DistributedVirtualSwitch",
}


@dataclass(frozen=True)
class Objects:
    """Questions about what is there, answered from what was read once."""

    scope: Scope
    survey: Survey
    root_moid: str
    contents: Mapping[str, tuple[Named, ...]]

    @property
    def inventory(self) -> Inventory:
        return self.survey.inventory

    @property
    def datacenter_moids(self) -> tuple[str, ...]:
        if self.scope.datacenter_moid:
            return (self.scope.datacenter_moid,)
        return tuple(datacenter.moid for datacenter in self.inventory.datacenters)

    @property
    def clusters(self) -> tuple[ComputeCluster, ...]:
        chosen = {place.compute_cluster_moid for place in self.scope.places}
        return tuple(
            cluster
            for cluster in self.inventory.compute_clusters
            if (cluster.moid in chosen if chosen else cluster.datacenter_moid in self.datacenter_moids)
        )

    def cluster(self, moid: str) -> ComputeCluster | None:
        return next((cluster for cluster in self.inventory.compute_clusters if cluster.moid == moid), None)

    def hosts(self, cluster: ComputeCluster) -> tuple[Host, ...]:
        return tuple(host for host in self.inventory.hosts if host.compute_cluster_moid == cluster.moid)

    def usable_hosts(self, cluster: ComputeCluster) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts(cluster) if host.connected and not host.in_maintenance)

    def datastore(self, moid: str) -> Datastore | None:
        return next((item for item in self.inventory.datastores if item.moid == moid), None)

    def network(self, moid: str) -> Network | None:
        return next((item for item in self.inventory.networks if item.moid == moid), None)

    def folder(self, moid: str) -> Folder | None:
        return next((item for item in self.inventory.folders if item.moid == moid), None)

    @property
    def machines_folder(self) -> Folder | None:
        return machines_folder(self.scope, self.inventory)

    @property
    def image_folders(self) -> tuple[Folder, ...]:
        return image_folders(self.scope, self.inventory, self.datacenter_moids)

    @property
    def image(self) -> tuple[Folder, Named] | None:
        """The image's template, or the machine that has its name."""
        for folder in self.image_folders:
            for item in self.contents.get(folder.moid, ()):
                if self.scope.image_template and item.name == self.scope.image_template:
                    return folder, item
        return None


def machines_folder(scope: Scope, inventory: Inventory) -> Folder | None:
    """None while the cluster's own folder does not exist."""
    chosen = next((item for item in inventory.folders if item.moid == scope.folder_moid), None)
    return folder_below(inventory, chosen, scope.own_folder) if chosen and scope.own_folder else chosen


def folder_below(inventory: Inventory, parent: Folder, name: str) -> Folder | None:
    path = "/".join(filter(None, [parent.path, name]))
    return next(
        (
            folder
            for folder in inventory.folders
            if (folder.path, folder.datacenter_moid) == (path, parent.datacenter_moid)
        ),
        None,
    )


def image_folders(scope: Scope, inventory: Inventory, datacenters: Iterable[str]) -> tuple[Folder, ...]:
    return tuple(
        folder
        for folder in inventory.folders
        if folder.name == scope.image_folder and folder.datacenter_moid in datacenters
    )


def targets(objects: Objects) -> list[Target]:
    """Each object once, the general ones first."""
    by_moid: dict[str, Target] = {}
    for kind, moid, name in _all(objects):
        by_moid.setdefault(moid, target(kind, moid, name, objects))
    return list(by_moid.values())


def target(kind: str, moid: str, name: str, objects: Objects) -> Target:
    is_distributed = kind == "network" and moid in objects.survey.switches
    vsphere = "DistributedVirtualPortgroup" if is_distributed else VSPHERE_KINDS[kind]
    return Target(kind, moid, f"{vsphere}:{moid}", name)


def _all(objects: Objects) -> Iterator[tuple[str, str, str]]:
    inventory, scope = objects.inventory, objects.scope
    yield "root", objects.root_moid, "root folder"
    for datacenter in inventory.datacenters:
        if datacenter.moid in objects.datacenter_moids:
            yield "datacenter", datacenter.moid, datacenter.path or datacenter.name
    if folder := objects.folder(scope.folder_moid):
        yield "folder", folder.moid, folder.path or "vm"
    for images in objects.image_folders:
        yield "image-folder", images.moid, images.path
    if objects.image:
        yield "template", objects.image[1].moid, objects.image[1].name
    for cluster in objects.clusters:
        yield "compute-cluster", cluster.moid, cluster.name
    yield from _of_places(objects) if scope.places else _on_offer(objects)
    for cluster in objects.clusters:
        for host in objects.hosts(cluster):
            yield "host", host.moid, host.name


def _of_places(objects: Objects) -> Iterator[tuple[str, str, str]]:
    pools = {pool.moid: pool for pool in objects.inventory.resource_pools}
    for place in objects.scope.places:
        if pool := pools.get(place.resource_pool_moid):
            yield "resource-pool", pool.moid, f"{pool.compute_cluster_name}/{pool.path}"
        if datastore := objects.datastore(place.datastore_moid):
            yield "datastore", datastore.moid, datastore.name
        yield from _network(objects, place.network_moid)


def _on_offer(objects: Objects) -> Iterator[tuple[str, str, str]]:
    clusters = {cluster.moid for cluster in objects.clusters}
    hosts = {host.moid for cluster in objects.clusters for host in objects.hosts(cluster)}
    for pool in objects.inventory.resource_pools:
        if pool.compute_cluster_moid in clusters:
            yield "resource-pool", pool.moid, f"{pool.compute_cluster_name}/{pool.path}"
    for datastore in objects.inventory.datastores:
        if hosts.intersection(datastore.host_moids):
            yield "datastore", datastore.moid, datastore.name
    for network in objects.inventory.networks:
        if hosts.intersection(network.host_moids) and network.kind != "opaque":
            yield from _network(objects, network.moid)


def _network(objects: Objects, moid: str) -> Iterator[tuple[str, str, str]]:
    network = objects.network(moid)
    if network is None:
        return
    yield "network", network.moid, network.name
    if switch := objects.survey.switches.get(moid):
        yield "switch", switch, network.switch_name or switch
