from collections.abc import Callable, Iterator
from socket import socket
from time import monotonic
from uuid import uuid4

import pytest

from palette_portal.vsphere import machines
from palette_portal.vsphere.inventory import Inventory, read_inventory
from palette_portal.vsphere.machines import CloneSpec, VirtualMachine
from palette_portal.vsphere.session import Credentials, VCenter, connect
from palette_portal.vsphere.tasks import VSphereTask, read_task
from tests.lab.vcsim import Lab

TEMPLATE = "r_u-2204-0-k-1312-0"


@pytest.fixture(scope="module")
def running_lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def lab(running_lab: Lab) -> Iterator[Lab]:
    """The lab without faults; afterwards no session may be left."""
    yield running_lab
    running_lab.heal()
    assert running_lab.sessions() == []


@pytest.fixture
def credentials(lab: Lab) -> Credentials:
    return lab.credentials()


@pytest.fixture
def free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def vcenter(credentials: Credentials) -> Iterator[VCenter]:
    with connect(credentials) as vcenter:
        yield vcenter


@pytest.fixture
def inventory(vcenter: VCenter) -> Inventory:
    return read_inventory(vcenter)


@pytest.fixture
def template(vcenter: VCenter, inventory: Inventory) -> VirtualMachine:
    return machines.find_template(vcenter, inventory.datacenters[0].moid, "spectro-templates", TEMPLATE)


@pytest.fixture
def make_spec(inventory: Inventory) -> Callable[..., CloneSpec]:
    def make(**changes: object) -> CloneSpec:
        values = {
            "name": f"gw-{uuid4().hex[:8]}",
            "instance_uuid": str(uuid4()),
            "folder_moid": named(inventory.folders, "palette-gateways").moid,
            "resource_pool_moid": inventory.compute_clusters[0].root_pool_moid,
            "datastore_moid": named(inventory.datastores, "shared-nfs-1").moid,
            "network_moids": (named(inventory.networks, "k8s-nodes").moid,),
            "num_cpus": 4,
            "memory_mib": 8192,
            "disk_gib": 60,
            "annotation": "made by the portal",
            "extra_config": {"guestinfo.userdata": "I2Nsb3VkLWNvbmZpZw=="},
        }
        return CloneSpec(**(values | changes))

    return make


def named(items, name):
    return next(item for item in items if item.name == name)


def finish(vcenter: VCenter, task_moid: str | None, seconds: float = 20) -> VSphereTask:
    """The task when it is over."""
    assert task_moid
    end = monotonic() + seconds
    while monotonic() < end:
        task = read_task(vcenter, task_moid)
        if task.is_over:
            return task
    raise AssertionError(f"{task_moid} is not over after {seconds} s")


@pytest.fixture
def machine(
    vcenter: VCenter, template: VirtualMachine, make_spec: Callable[..., CloneSpec]
) -> VirtualMachine:
    task = finish(vcenter, machines.start_clone(vcenter, template.moid, make_spec()))
    return machines.read_machine(vcenter, task.result_moid)
