"""Whether what was chosen is there and fits together: folder, image, resource pool, storage, network."""

from collections.abc import Iterator

from gateways.prerequisites.objects import Objects
from gateways.prerequisites.report import Level, Line
from gateways.prerequisites.scope import Place
from gateways.prerequisites.words import counted, listed
from palette_portal.vsphere.inventory import ComputeCluster, Host


def placing_lines(objects: Objects) -> Iterator[Line]:
    if objects.scope.is_deployment:
        yield _folder(objects)
        yield from _image(objects)
        for place in objects.scope.places:
            yield from _place(objects, place)
    else:
        yield from _image_folder(objects)
        for cluster in objects.clusters:
            yield _pools(objects, cluster)
            yield _shared_storage(objects, cluster)


def _folder(objects: Objects) -> Line:
    folder = objects.folder(objects.scope.folder_moid)
    if folder is None:
        hint = "Choose another folder, or let the account read this one."
        return Line("folder", "failed", "Folder", "", "The chosen folder is not in vCenter any more.", hint)
    return Line("folder", "passed", "Folder", folder.path or "vm", "The folder for the machines is there.")


def _image_folder(objects: Objects) -> Iterator[Line]:
    """Without a deployment: each data center should have one."""
    wanted = objects.scope.image_folder
    having = {folder.datacenter_moid for folder in objects.image_folders}
    for datacenter in objects.inventory.datacenters:
        if datacenter.moid in having:
            said = f"The folder {wanted} is there."
            yield Line("image-folder", "passed", "Data center", datacenter.name, said)
        elif datacenter.moid in objects.datacenter_moids:
            yield Line(
                "image-folder",
                "warning",
                "Data center",
                datacenter.name,
                f"There is no folder {wanted} that the account can see.",
                f"Create a virtual machine folder {wanted} in the data center, for the images of nodes.",
            )


def _image(objects: Objects) -> Iterator[Line]:
    scope = objects.scope
    if not scope.image_template:
        return
    folders, image = objects.image_folders, objects.image
    key, kind, name = "image-template", "Image template", scope.image_template
    if image and image[1].is_template:
        yield Line(key, "passed", kind, name, f"The template is in {image[0].path}.")
    elif image:
        sentence = f"{name} in {image[0].path} is a virtual machine, not a template."
        yield Line(key, "failed", kind, name, sentence, "Convert it to a template in vCenter.")
    elif scope.image_will_be_imported and folders:
        yield Line(key, "passed", kind, name, f"The image will be imported into {folders[0].path}.")
    elif folders:
        hint = "Import the image there, or let the account read it."
        yield Line(key, "failed", kind, name, f"{folders[0].path} holds no such template.", hint)
    else:
        level: Level = "warning" if scope.image_will_be_imported else "failed"
        sentence = f"There is no folder {scope.image_folder} in the data center."
        hint = f"Create the folder {scope.image_folder} and give the account the Spectro role on it."
        yield Line(key, level, kind, name, sentence, hint)


def _place(objects: Objects, place: Place) -> Iterator[Line]:
    cluster = objects.cluster(place.compute_cluster_moid)
    if cluster is None:
        yield Line(
            "compute-cluster",
            "failed",
            "Compute cluster",
            place.zone,
            "The chosen compute cluster is not in vCenter any more.",
            "Choose another compute cluster, or let the account read this one.",
        )
        return
    yield _pool(objects, place, cluster)
    yield _datastore(objects, place, cluster)
    yield _network(objects, place, cluster)


def _pool(objects: Objects, place: Place, cluster: ComputeCluster) -> Line:
    key, kind = "resource-pool", "Resource pool"
    pools = {pool.moid: pool for pool in objects.inventory.resource_pools}
    pool = pools.get(place.resource_pool_moid)
    if pool is None:
        sentence = "The chosen resource pool is not in vCenter any more."
        return Line(key, "failed", kind, "", sentence, f"Choose a resource pool of {cluster.name}.")
    if pool.compute_cluster_moid != cluster.moid:
        sentence = f"The resource pool belongs to {pool.compute_cluster_name}, not to {cluster.name}."
        return Line(key, "failed", kind, pool.path, sentence, f"Choose a resource pool of {cluster.name}.")
    return Line(key, "passed", kind, pool.path, f"The resource pool is on {cluster.name}.")


def _datastore(objects: Objects, place: Place, cluster: ComputeCluster) -> Line:
    key, kind = "shared-storage", "Datastore"
    datastore = objects.datastore(place.datastore_moid)
    if datastore is None or not datastore.accessible or datastore.in_maintenance:
        state = "is not in vCenter any more" if datastore is None else "cannot be used now"
        name = datastore.name if datastore else ""
        hint = f"Choose a datastore that the hosts of {cluster.name} share."
        return Line(key, "failed", kind, name, f"The chosen datastore {state}.", hint)
    return _reach(
        key, kind, datastore.name, objects.usable_hosts(cluster), datastore.host_moids, cluster, "mount"
    )


def _network(objects: Objects, place: Place, cluster: ComputeCluster) -> Line:
    key, kind = "network-reach", "Network"
    network = objects.network(place.network_moid)
    if network is None:
        hint = f"Choose a network that the hosts of {cluster.name} have."
        return Line(key, "failed", kind, "", "The chosen network is not in vCenter any more.", hint)
    return _reach(key, kind, network.name, objects.usable_hosts(cluster), network.host_moids, cluster, "have")


def _reach(
    key: str,
    kind: str,
    name: str,
    hosts: tuple[Host, ...],
    reached_moids: tuple[str, ...],
    cluster: ComputeCluster,
    verb: str,
) -> Line:
    without = [host.name for host in hosts if host.moid not in reached_moids]
    if not hosts:
        sentence = f"{cluster.name} has no host that is connected and out of maintenance mode."
        return Line(key, "failed", kind, name, sentence, "Bring its hosts back, or choose another cluster.")
    if not without:
        all_of_them = f"All {counted(len(hosts), 'usable host')} of {cluster.name} {verb} it."
        return Line(key, "passed", kind, name, all_of_them)
    hint = f"Let every host of {cluster.name} {verb} it; otherwise machines cannot move or restart there."
    level: Level = "failed" if len(without) == len(hosts) else "warning"
    return Line(key, level, kind, name, f"{listed(without, most=3)} do not {verb} it.", hint)


def _pools(objects: Objects, cluster: ComputeCluster) -> Line:
    key, kind = "resource-pool", "Compute cluster"
    pools = [pool for pool in objects.inventory.resource_pools if pool.compute_cluster_moid == cluster.moid]
    own = [pool.name for pool in pools if pool.moid != cluster.root_pool_moid]
    if own:
        said = f"It has {counted(len(own), 'resource pool')}: {listed(own, most=3)}."
        return Line(key, "passed", kind, cluster.name, said)
    hint = "Create a resource pool for workload clusters, so that they can be limited together."
    return Line(key, "warning", kind, cluster.name, "It has no resource pool besides its root.", hint)


def _shared_storage(objects: Objects, cluster: ComputeCluster) -> Line:
    key, kind = "shared-storage", "Compute cluster"
    hosts = {host.moid for host in objects.usable_hosts(cluster)}
    shared = [
        datastore.name
        for datastore in objects.inventory.datastores
        if hosts and datastore.accessible and hosts <= set(datastore.host_moids)
    ]
    if shared:
        return Line(key, "passed", kind, cluster.name, f"All usable hosts share {listed(shared, most=3)}.")
    hint = "Give all hosts access to one datastore, such as vSAN or NFS. High availability needs it."
    return Line(
        key, "failed", kind, cluster.name, "There is no datastore that all its usable hosts reach.", hint
    )
