import threading
from dataclasses import replace

import pytest

from clusters.steps.preparation import needed_storage_gib
from gateways import placement
from gateways.drafts import VCENTER
from gateways.models import ConfigureDraft
from gateways.placement import (
    NEEDS,
    NODE,
    NOTHING,
    Choices,
    Option,
    capacity_warning,
    fetch_inventory,
    lacking_disk,
    size_in_words,
)
from palette_portal.vsphere.capacity import Capacity
from palette_portal.vsphere.errors import Unreachable
from palette_portal.vsphere.inventory import (
    ComputeCluster,
    Datacenter,
    Datastore,
    Folder,
    Host,
    Inventory,
    Network,
    ResourcePool,
)

TB, GB = 1024**4, 1024**3


def make_host(moid: str, cluster: str, *, connected: bool = True, in_maintenance: bool = False) -> Host:
    return Host(moid, moid, "dc", cluster, (), (), connected, in_maintenance)


def make_datastore(
    name: str, *hosts: str, free: int = TB, accessible: bool = True, busy: bool = False
) -> Datastore:
    return Datastore(f"ds-{name}", name, "dc", "NFS", 4 * TB, free, accessible, busy, hosts)


def make_network(name: str, *hosts: str, kind: str = "standard", switch: str = "") -> Network:
    return Network(f"net-{name}", name, "dc", kind, switch, True, hosts)  # type: ignore[arg-type]


INVENTORY = Inventory(
    datacenters=(Datacenter("dc", "dc-1", "europe/dc-1"), Datacenter("dc2", "dc-2", "dc-2")),
    compute_clusters=(
        ComputeCluster("c1", "cluster-1", "dc", "rp-1", ("h1", "h2"), (), ()),
        ComputeCluster("c2", "cluster-2", "dc", "rp-2", ("h3",), (), ()),
    ),
    hosts=(make_host("h1", "c1"), make_host("h2", "c1", in_maintenance=True), make_host("h3", "c2")),
    datastores=(
        make_datastore("shared", "h1", "h2", "h3", free=1_200 * GB),
        make_datastore("parked", "h2"),
        make_datastore("broken", "h1", accessible=False),
        make_datastore("mending", "h1", busy=True),
        make_datastore("other", "h3"),
    ),
    networks=(
        make_network("VM Network", "h1"),
        make_network("nodes", "h1", "h3", kind="distributed", switch="dvs-1"),
        make_network("segment", "h1", kind="opaque"),
    ),
    resource_pools=(
        ResourcePool("rp-1", "Resources", "dc", "c1", "cluster-1", "Resources"),
        ResourcePool("rp-2", "Resources", "dc", "c2", "cluster-2", "Resources"),
    ),
    folders=(Folder("f0", "vm", "dc", ""), Folder("f1", "gateways", "dc", "palette/gateways")),
)
CHOSEN = {"datacenter": "dc", "compute_cluster": "c1"}


def names(choice: str, chosen: dict[str, str] = CHOSEN) -> list[str]:
    return [option.name for option in Choices(INVENTORY).options(choice, chosen)]


def test_choices_of_a_datacenter_show_path_and_size() -> None:
    assert Choices(INVENTORY).options("datacenter", {}) == [
        Option("dc", "europe/dc-1", "2 compute clusters"),
        Option("dc2", "dc-2", "0 compute clusters"),
    ]


@pytest.mark.parametrize("choice", ["folder", "compute_cluster", "resource_pool", "datastore", "network"])
def test_choices_without_the_one_before_are_none(choice: str) -> None:
    assert names(choice, {}) == []


def test_choices_of_a_compute_cluster_say_how_many_hosts_can_be_used() -> None:
    notes = [option.note for option in Choices(INVENTORY).options("compute_cluster", CHOSEN)]

    assert notes == ["1 of 2 hosts usable", "1 host"]


def test_choices_of_a_resource_pool_name_the_compute_cluster() -> None:
    assert Choices(INVENTORY).options("resource_pool", CHOSEN) == [Option("rp-1", "Resources", "cluster-1")]


def test_choices_of_a_datastore_are_those_that_a_usable_host_reaches() -> None:
    assert names("datastore") == ["shared"]
    assert Choices(INVENTORY).options("datastore", CHOSEN)[0].note == "1.2 TB free of 4.0 TB"


def test_choices_of_a_network_leave_out_opaque_ones_and_say_so() -> None:
    assert names("network") == ["VM Network", "nodes"]
    assert Choices(INVENTORY).left_out("network", CHOSEN).startswith("Not offered: segment (opaque")


def test_choices_left_out_datastores_are_named() -> None:
    assert Choices(INVENTORY).left_out("datastore", CHOSEN).startswith("Not offered: broken, mending (not")
    assert Choices(INVENTORY).left_out("datastore", {"datacenter": "dc", "compute_cluster": "c2"}) == ""
    assert Choices(INVENTORY).left_out("datastore", {}) == ""


def test_choices_of_a_folder_show_its_path() -> None:
    assert names("folder") == ["vm", "palette/gateways"]


def test_choices_kept_by_id_even_when_renamed() -> None:
    kept = Choices(INVENTORY).keep_existing({**CHOSEN, "folder": "f1"}, {"folder": "old-name"})

    assert kept == {**CHOSEN, "folder": "f1"}


def test_choices_kept_by_name_when_the_ids_are_others() -> None:
    remembered = {"datacenter": "europe/dc-1", "compute_cluster": "cluster-2", "resource_pool": "Resources"}

    kept = Choices(INVENTORY).keep_existing({}, remembered)

    assert kept == {"datacenter": "dc", "compute_cluster": "c2", "resource_pool": "rp-2"}


def test_choices_whose_parent_is_gone_are_dropped() -> None:
    assert Choices(INVENTORY).keep_existing({"datacenter": "gone", "folder": "f1"}, {}) == {}


def test_choices_of_two_with_one_name_are_not_guessed() -> None:
    twins = replace(
        INVENTORY, folders=(*INVENTORY.folders, Folder("f2", "gateways", "dc", "palette/gateways"))
    )

    kept = Choices(twins).keep_existing({}, {"datacenter": "europe/dc-1", "folder": "palette/gateways"})

    assert "folder" not in kept


def test_choices_of_an_empty_inventory_are_none() -> None:
    assert Choices(NOTHING).options("datacenter", {}) == []


@pytest.mark.parametrize(
    ("free", "nodes", "said"),
    [
        (60 * GB, 1, ""),
        (59 * GB, 1, "a one-node gateway needs 60 GB"),
        (69 * GB, 3, "3 nodes needs 70 GB"),
        (70 * GB, 3, ""),
    ],
)
def test_disk_that_lacks_is_told_with_both_figures(free: int, nodes: int, said: str) -> None:
    inventory = replace(NOTHING, datastores=(make_datastore("small", free=free),))

    assert said in lacking_disk(inventory, "ds-small", nodes)
    assert bool(lacking_disk(inventory, "ds-small", nodes)) == bool(said)


@pytest.mark.parametrize("nodes", [1, 3])
def test_disk_need_is_what_the_provisioning_asks_for(nodes: int) -> None:
    assert needed_storage_gib([NODE.disk_gib] * nodes) * 1024**3 == NEEDS[nodes].disk_gb * placement.GB


@pytest.mark.parametrize(
    ("cores", "free_memory_mib", "nodes", "warns"),
    [(2, 4096, 1, False), (1, 4096, 1, True), (2, 3000, 1, True), (6, 12288, 3, False), (64, 9000, 3, True)],
)
def test_capacity_that_is_scarce_is_a_warning(
    cores: int, free_memory_mib: int, nodes: int, warns: bool
) -> None:
    capacity = Capacity(1, cores, 1000, 1000, free_memory_mib, free_memory_mib)

    assert bool(capacity_warning(capacity, "cluster-1", nodes)) is warns


def test_sizes_in_words() -> None:
    assert [size_in_words(size) for size in (0, 900 * GB, 1_200 * GB)] == ["0 GB", "900 GB", "1.2 TB"]


def test_inventory_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"server": "vcenter.acme.test", "username": "amelia"}
    draft = ConfigureDraft(pages={VCENTER: {"values": values, "open": ""}}, password="secret")
    never = threading.Event()
    monkeypatch.setattr(placement, "LIMIT_SECONDS", 0.02)
    monkeypatch.setattr(placement.sessions, "get", lambda _credentials: never.wait(30))

    with pytest.raises(Unreachable, match="did not finish answering"):
        fetch_inventory(draft)

    never.set()
