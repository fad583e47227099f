"""A gateway cluster on the lab's vCenter, provisioned step by step in the test's own process.

Guests are played here, too: what the user-data of a VM that is on tells its node to report is posted.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pyVmomi import vim

from clusters.actions.provision import ClusterRequest, PlacementRequest, PoolRequest, provision_cluster
from clusters.models import AddressAllocation, Cluster, ClusterPurpose, Machine, PoolRole
from gateways.models import CloudAccount, PrivateCloudGateway
from ippools.models import IPAddressClaim, IPPool
from palette_portal.orchestration.engine import run_next_step
from palette_portal.orchestration.models import Event, Operation, Step, StepState
from palette_portal.vsphere.inventory import read_inventory
from palette_portal.vsphere.session import connect
from tests.engine import make_waiting_steps_due
from tests.factories import make_cloud_account, make_gateway, make_pool
from tests.integration.provisioning.guests import Guests
from tests.lab.api import VSphere
from tests.lab.vcsim import Lab

PATIENCE_SECONDS = 30
TEMPLATE = "r_u-2204-0-k-1312-0"


@dataclass
class Stage:
    lab: Lab
    vcenter: VSphere
    gateway: PrivateCloudGateway
    account: CloudAccount
    pool: IPPool
    placement: PlacementRequest
    datacenter: tuple[str, str]
    folder: tuple[str, str]
    guests: Guests
    closing: ExitStack
    operation: Operation = field(init=False)
    cluster: Cluster = field(init=False)

    def start(
        self, *, nodes: int = 1, placement_datastore: tuple[str, str] | None = None, **changes: Any
    ) -> Operation:
        if placement_datastore:
            moid, name = placement_datastore
            self.placement = replace(self.placement, datastore_moid=moid, datastore_name=name)
        self.cluster, self.operation = provision_cluster(request=self.request(nodes, **changes), by=None)
        return self.operation

    def request(self, nodes: int, **changes: Any) -> ClusterRequest:
        static = changes.get("address_allocation", AddressAllocation.STATIC) == AddressAllocation.STATIC
        masters = PoolRequest(
            name="master-pool",
            role=PoolRole.CONTROL_PLANE,
            size=nodes,
            num_cpus=2,
            memory_mib=4096,
            disk_gib=60,
            placements=(self.placement,),
            ip_pool=self.pool if static else None,
        )
        values = {
            "name": self.gateway.name,
            "purpose": ClusterPurpose.GATEWAY,
            "gateway": self.gateway,
            "cloud_account": self.account,
            "kubernetes_version": "1.31.2",
            "image_template": TEMPLATE,
            "datacenter_moid": self.datacenter[0],
            "datacenter_name": self.datacenter[1],
            "folder_moid": self.folder[0],
            "folder_name": self.folder[1],
            "address_allocation": AddressAllocation.STATIC,
            "pools": (masters,),
            **changes,
        }
        return ClusterRequest(**values)

    def go_on_until(self, condition: Callable[[], object]) -> None:
        """Do one due step after the other, let guests report and waits end, until the condition holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.describe()
            if not run_next_step():
                self._let_guests_report()
                make_waiting_steps_due(self.operation)

    def wait_until(self, condition: Callable[[], object]) -> None:
        """While another process works."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.describe()

    def _let_guests_report(self) -> None:
        begun = self.operation.steps.filter(key__endswith="/powered-on").exclude(state=StepState.PENDING)
        if set(begun.values_list("group", flat=True)) - self.guests.done - self.guests.silent:
            self.guests.play()
        self.guests.work()

    @contextmanager
    def outage(self) -> Iterator[None]:
        """vCenter is down for everybody, the test included."""
        self.lab.unreachable(600)
        self.guests.is_watching = False
        yield
        self.guests.is_watching = True
        self.heal()

    def heal(self) -> None:
        """The lab cuts every connection when an outage ends, and when it might have."""
        self.lab.heal()
        self.vcenter = self.guests.vcenter = self.closing.enter_context(self.lab.connect())

    def finish(self) -> None:
        self.go_on_until(self.has_ended)
        self.cluster.refresh_from_db()

    def has_ended(self) -> bool:
        self.operation.refresh_from_db()
        return not self.operation.is_active

    def step(self, key: str) -> Step:
        return self.operation.steps.get(key=key)

    def machine_step(self, word: str, *, index: int = 1) -> Step:
        return self.step(f"{self.machine(index).name}/{word}")

    def machine(self, index: int = 1) -> Machine:
        return Machine.objects.get(cluster=self.cluster, index=index)

    def fails_with(self, key: str, reason: str) -> Callable[[], bool]:
        return lambda: self.step(key).reason == reason

    def describe(self) -> str:
        steps = self.operation.steps.order_by("position")
        return "\n".join(f"{step.key}: {step.state} {step.reason} {step.message}" for step in steps)

    def assert_nothing_doubled_or_leaked(self) -> None:
        """Each machine is one VM, each VM of ours is a machine, each address held belongs to one of them."""
        machines = {machine.name: str(machine.id) for machine in self.cluster.machines.present()}
        ours = self.vms_of_ours()
        assert sorted(ours) == sorted(machines.items())
        held = IPAddressClaim.objects.held().filter(cluster_id=self.cluster.id)
        assert sorted(held.values_list("owner_name", flat=True)) == sorted([*machines, self.cluster.name])
        assert IPAddressClaim.objects.held().count() == held.count()

    def vms_of_ours(self) -> list[tuple[str, str]]:
        """Name and instance UUID of every VM with the cluster's mark or the name of one of its machines."""
        names = {machine.name for machine in self.cluster.machines.all()}
        found = self.vcenter.collect(
            vim.VirtualMachine, "name", "config.instanceUuid", "config.extraConfig"
        ).values()
        return [
            (values["name"], values["config.instanceUuid"])
            for values in found
            if values["name"] in names or self._is_marked(values.get("config.extraConfig", ()))
        ]

    def _is_marked(self, options: Any) -> bool:
        return any(
            option.key == "palette.cluster" and option.value == str(self.cluster.id) for option in options
        )

    def events(self, reason: str) -> list[Event]:
        return list(Event.objects.of(self.cluster.subject).filter(reason=reason))


def make_stage(lab: Lab, vcenter: VSphere, closing: ExitStack) -> Stage:
    gateway = make_gateway()
    with connect(lab.credentials()) as session:
        inventory = read_inventory(session)

    def pick(items: Any, name: str, **also: str) -> Any:
        matching = (item for item in items if all(getattr(item, key) == value for key, value in also.items()))
        return next(item for item in matching if item.name == name)

    compute = pick(inventory.compute_clusters, "cluster-1")
    pool = pick(inventory.resource_pools, "workloads", compute_cluster_moid=compute.moid)
    datastore = pick(inventory.datastores, "shared-nfs-1")
    network = pick(inventory.networks, "k8s-nodes")
    folder = pick(inventory.folders, "palette-gateways")
    datacenter = pick(inventory.datacenters, "dc-1")
    return Stage(
        lab=lab,
        vcenter=vcenter,
        gateway=gateway,
        account=make_account(lab, gateway),
        pool=make_pool(gateway),
        placement=PlacementRequest(
            compute_cluster_moid=compute.moid,
            compute_cluster_name=compute.name,
            resource_pool_moid=pool.moid,
            resource_pool_name=pool.path,
            datastore_moid=datastore.moid,
            datastore_name=datastore.name,
            network_moid=network.moid,
            network_name=network.name,
        ),
        datacenter=(datacenter.moid, datacenter.name),
        folder=(folder.moid, folder.path),
        guests=Guests(vcenter),
        closing=closing,
    )


def make_account(lab: Lab, gateway: PrivateCloudGateway) -> CloudAccount:
    login = lab.login()
    return make_cloud_account(
        gateway,
        vcenter_server=login["server"],
        username=login["username"],
        password=login["password"],
        thumbprint_sha256=login["thumbprint_sha256"],
    )
