from dataclasses import replace

import pytest

from palette_portal.vsphere.errors import InvalidState
from palette_portal.vsphere.machines import CloneSpec, Disk, Nic, VirtualMachine, differences, foreign_disks
from palette_portal.vsphere.machines.acting import _check_destroyable
from palette_portal.vsphere.machines.looking import _is_reachable

GIB = 1024 * 1024

WANT = CloneSpec(
    name="gw-1",
    instance_uuid="8d1a4a66-52a4-4b6b-9a9a-0a34c3a1c111",
    folder_moid="group-v3",
    resource_pool_moid="resgroup-8",
    datastore_moid="datastore-11",
    network_moids=("dvportgroup-92",),
    num_cpus=4,
    memory_mib=8192,
    disk_gib=60,
    annotation="made by the portal",
    extra_config={"guestinfo.userdata": "secret-user-data"},
)
DISK = Disk(2000, "Hard disk 1", 60 * GIB, "[shared-nfs-1] gw-1/gw-1.vmdk", "datastore-11", "")
HAVE = VirtualMachine(
    moid="vm-42",
    name="gw-1",
    instance_uuid=WANT.instance_uuid,
    bios_uuid="4220f5b1-0000-4b6b-9a9a-0a34c3a1c111",
    power_state="poweredOff",
    connection_state="connected",
    num_cpus=4,
    memory_mib=8192,
    annotation="made by the portal",
    extra_config={"guestinfo.userdata": "secret-user-data", "svga.present": "TRUE"},
    disk_uuid_enabled=True,
    disks=(DISK,),
    nics=(Nic(4000, "Network adapter 1", "00:50:56:00:00:01", "dvportgroup-92", True),),
    ip_addresses=(),
    tools_running=False,
    folder_moid="group-v3",
    host_moid="host-7",
    host_name="esx-11.lab.example",
    file_name="[shared-nfs-1] gw-1/gw-1.vmx",
    is_template=False,
)
VOLUME = Disk(2001, "Hard disk 2", 10 * GIB, "[shared-nfs-1] fcd/volume.vmdk", "datastore-11", "")


def test_machine_as_wanted_has_no_differences() -> None:
    assert differences(HAVE, WANT) == ()


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"num_cpus": 2}, "num_cpus"),
        ({"memory_mib": 4096}, "memory_mib"),
        ({"annotation": ""}, "annotation"),
        ({"disk_uuid_enabled": False}, "disk_uuid_enabled"),
        ({"extra_config": {}}, "extra_config"),
        ({"disks": (replace(DISK, capacity_kib=20 * GIB),)}, "disk_gib"),
        ({"nics": ()}, "networks"),
        ({"nics": (replace(HAVE.nics[0], network_moid="network-7"),)}, "networks"),
        ({"nics": (replace(HAVE.nics[0], is_vmxnet3=False),)}, "networks"),
    ],
)
def test_each_difference_is_seen(change: dict[str, object], difference: str) -> None:
    assert differences(replace(HAVE, **change), WANT) == (difference,)


def test_larger_disk_is_no_difference() -> None:
    assert differences(replace(HAVE, disks=(replace(DISK, capacity_kib=80 * GIB),)), WANT) == ()


def test_user_data_is_not_in_the_representation() -> None:
    assert "secret-user-data" not in repr(WANT) + repr(HAVE)


@pytest.mark.parametrize(
    "disk",
    [VOLUME, replace(DISK, key=2002, first_class_id="fcd-1")],
    ids=["in another folder", "first class disk in the machine's folder"],
)
def test_disk_attached_later_is_foreign(disk: Disk) -> None:
    assert foreign_disks(replace(HAVE, disks=(DISK, disk))) == (disk,)


def test_own_disk_moved_with_the_machine_to_another_datastore_is_not_foreign() -> None:
    moved = replace(DISK, file_name="[cluster-1-vmfs] gw-1/gw-1.vmdk")

    assert foreign_disks(replace(HAVE, disks=(moved,))) == ()


@pytest.mark.parametrize("change", [{"power_state": "poweredOn"}, {"disks": (DISK, VOLUME)}])
def test_machine_that_is_on_or_has_foreign_disks_is_not_destroyed(change: dict[str, object]) -> None:
    with pytest.raises(InvalidState):
        _check_destroyable(replace(HAVE, **change))


@pytest.mark.parametrize(
    ("address", "reachable"),
    [
        ("10.10.1.20", True),
        ("2001:db8::20", True),
        ("127.0.0.1", False),
        ("169.254.3.4", False),
        ("fe80::1", False),
        ("0.0.0.0", False),
        ("unknown", False),
    ],
)
def test_only_addresses_that_others_can_reach_count(address: str, reachable: bool) -> None:
    assert _is_reachable(address) is reachable
