from collections import Counter

from palette_portal.vsphere.capacity import read_capacity
from palette_portal.vsphere.inventory import Inventory, read_inventory
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.tags import Tag, read_places, read_tags
from tests.integration.vsphere.conftest import named
from tests.lab.vcsim import Lab


def test_inventory_is_one_round_trip(vcenter: VCenter) -> None:
    before = vcenter.round_trips

    read_inventory(vcenter)

    assert vcenter.round_trips - before == 1


def test_each_object_knows_its_datacenter(inventory: Inventory) -> None:
    datacenter = named(inventory.datacenters, "dc-1").moid
    below = [
        *inventory.compute_clusters,
        *inventory.hosts,
        *inventory.datastores,
        *inventory.networks,
        *inventory.resource_pools,
        *inventory.folders,
    ]

    assert {item.datacenter_moid for item in below} == {datacenter}


def test_shared_datastore_is_mounted_by_all_hosts_and_others_by_their_cluster(inventory: Inventory) -> None:
    cluster = named(inventory.compute_clusters, "cluster-2")

    assert len(named(inventory.datastores, "shared-nfs-1").host_moids) == len(inventory.hosts) == 9
    assert set(named(inventory.datastores, "cluster-2-vmfs").host_moids) == set(cluster.host_moids)


def test_datastore_has_free_space_and_capacity(inventory: Inventory) -> None:
    datastore = named(inventory.datastores, "cluster-1-scratch")

    assert (datastore.free_bytes, datastore.capacity_bytes) == (18 * 2**30, 500 * 2**30)
    assert datastore.accessible
    assert not datastore.in_maintenance


def test_networks_have_their_kind_and_uplinks_are_left_out(inventory: Inventory) -> None:
    assert {network.name: (network.kind, network.switch_name) for network in inventory.networks} == {
        "VM Network": ("standard", ""),
        "management": ("standard", ""),
        "k8s-nodes": ("distributed", "dvs-1"),
        "k8s-storage": ("distributed", "dvs-1"),
    }


def test_each_resource_pool_knows_its_compute_cluster(inventory: Inventory) -> None:
    pools = Counter((pool.compute_cluster_name, pool.path) for pool in inventory.resource_pools)

    assert pools == Counter(
        (cluster, path)
        for cluster in ("cluster-1", "cluster-2", "cluster-3")
        for path in ("Resources", "Resources/platform", "Resources/workloads")
    )


def test_folders_have_their_path_below_the_datacenter(inventory: Inventory) -> None:
    assert [folder.path for folder in inventory.folders] == [
        "infrastructure",
        "palette-clusters",
        "palette-gateways",
        "spectro-templates",
        "palette-clusters/team-a",
        "",
    ]


def test_capacity_of_a_compute_cluster(vcenter: VCenter, inventory: Inventory) -> None:
    capacity = read_capacity(vcenter, named(inventory.compute_clusters, "cluster-1").moid)

    assert capacity.hosts == 3
    assert 0 < capacity.free_cpu_mhz < capacity.cpu_mhz
    assert 0 < capacity.free_memory_mib < capacity.memory_mib


def test_places_come_from_the_tags(vcenter: VCenter, inventory: Inventory) -> None:
    places = read_places(vcenter, inventory)

    clusters = {cluster.name: places.zones[cluster.moid] for cluster in inventory.compute_clusters}
    assert clusters == {"cluster-1": "az1", "cluster-2": "az2", "cluster-3": "az3"}
    assert places.regions == {named(inventory.datacenters, "dc-1").moid: "region1"}


def test_untagged_object_has_no_tags(vcenter: VCenter, inventory: Inventory) -> None:
    datacenter, host = inventory.datacenters[0].moid, inventory.hosts[0].moid

    tags = read_tags(vcenter, [("Datacenter", datacenter), ("HostSystem", host)])

    assert tags == {datacenter: (Tag("k8s-region", "region1"),), host: ()}


def test_reading_tags_leaves_no_session(lab: Lab, vcenter: VCenter, inventory: Inventory) -> None:
    read_places(vcenter, inventory)

    assert [session["kind"] for session in lab.sessions()] == ["soap"]
