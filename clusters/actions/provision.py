"""Create a cluster with its pools and machines, and the operation that makes them real: one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from clusters.models import (
    AddressAllocation,
    Cluster,
    ClusterPurpose,
    Machine,
    MachinePool,
    Placement,
    PoolRole,
)
from clusters.names import machine_name
from clusters.plan import provision_plan
from clusters.states import ClusterState, move_cluster
from gateways.models import CloudAccount, PrivateCloudGateway
from ippools.actions import check_can_serve
from ippools.models import IPPool
from palette_portal.bootstrap.nodes import DEFAULT_POD_CIDR, DEFAULT_SERVICE_CIDR
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import start_operation
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants.models import Project, User


@dataclass(frozen=True)
class PlacementRequest:
    compute_cluster_moid: str
    compute_cluster_name: str
    resource_pool_moid: str
    resource_pool_name: str
    datastore_moid: str
    datastore_name: str
    network_moid: str
    network_name: str
    zone: str = ""


@dataclass(frozen=True)
class PoolRequest:
    """Machines are spread over the placements in turn."""

    name: str
    role: PoolRole
    size: int
    num_cpus: int
    memory_mib: int
    disk_gib: int
    placements: tuple[PlacementRequest, ...]
    ip_pool: IPPool | None = None


@dataclass(frozen=True)
class ClusterRequest:
    """`endpoint_host` is given with DHCP only; with static addresses the pool gives the virtual IP."""

    name: str
    purpose: ClusterPurpose
    gateway: PrivateCloudGateway
    cloud_account: CloudAccount
    kubernetes_version: str
    image_template: str
    datacenter_moid: str
    datacenter_name: str
    folder_moid: str
    folder_name: str
    address_allocation: AddressAllocation
    pools: tuple[PoolRequest, ...]
    image_folder: str = "spectro-templates"
    endpoint_host: str = ""
    ssh_keys: tuple[str, ...] = ()
    ntp_servers: tuple[str, ...] = ()
    pod_cidr: str = DEFAULT_POD_CIDR
    service_cidr: str = DEFAULT_SERVICE_CIDR
    project: Project | None = None


@transaction.atomic
def provision_cluster(
    *, request: ClusterRequest, extra_steps: Sequence[StepSpec] = (), by: User | None
) -> tuple[Cluster, Operation]:
    """Raise PoolReserved, PoolExhausted, or Conflict when static and DHCP are mixed up.

    `extra_steps` run when all nodes are ready (they may depend on `plan.NODES_READY`); the cluster is
    Running after them. The caller writes the audit row: it knows the wish behind it.
    """
    _check_addresses(request)
    cluster = _create_cluster(request, by)
    machines = [machine for pool in request.pools for machine in _create_pool(cluster, pool)]
    move_cluster(cluster, ClusterState.PROVISIONING)
    operation = start_operation(
        kind=OperationKind.PROVISION,
        subject=cluster.subject,
        steps=provision_plan(cluster, machines, extra_steps=extra_steps),
        by=by,
    )
    return cluster, operation


def _check_addresses(request: ClusterRequest) -> None:
    nodes: dict[IPPool, int] = {}
    for pool in request.pools:
        if request.address_allocation == AddressAllocation.STATIC:
            if pool.ip_pool is None:
                raise Conflict(f"Choose an IP pool for {pool.name}, or DHCP.")
            nodes[pool.ip_pool] = nodes.get(pool.ip_pool, 0) + pool.size
    if request.address_allocation == AddressAllocation.DHCP and not request.endpoint_host:
        raise Conflict("With DHCP the Kubernetes API needs an address or a DNS name of its own.")
    for ip_pool, count in nodes.items():
        check_can_serve(ip_pool, nodes=count)


def _create_cluster(request: ClusterRequest, by: User | None) -> Cluster:
    return Cluster.objects.create(
        tenant_id=request.gateway.tenant_id,
        project=request.project,
        purpose=request.purpose,
        gateway=request.gateway,
        cloud_account=request.cloud_account,
        name=request.name,
        kubernetes_version=request.kubernetes_version,
        image_template=request.image_template,
        image_folder=request.image_folder,
        datacenter_moid=request.datacenter_moid,
        datacenter_name=request.datacenter_name,
        folder_moid=request.folder_moid,
        folder_name=request.folder_name,
        ssh_keys=list(request.ssh_keys),
        ntp_servers=list(request.ntp_servers),
        address_allocation=request.address_allocation,
        endpoint_host=request.endpoint_host,
        pod_cidr=request.pod_cidr,
        service_cidr=request.service_cidr,
        created_by=by,
    )


def _create_pool(cluster: Cluster, request: PoolRequest) -> list[Machine]:
    pool = MachinePool.objects.create(
        cluster=cluster,
        name=request.name,
        role=request.role,
        size=request.size,
        num_cpus=request.num_cpus,
        memory_mib=request.memory_mib,
        disk_gib=request.disk_gib,
        ip_pool=request.ip_pool,
    )
    placements = [Placement.objects.create(pool=pool, **vars(wanted)) for wanted in request.placements]
    short = "cp" if request.role == PoolRole.CONTROL_PLANE else request.name
    return [
        Machine.objects.create(
            cluster=cluster,
            pool=pool,
            placement=placements[(index - 1) % len(placements)],
            index=index,
            name=machine_name(cluster.name, pool=short, index=index),
            is_first=request.role == PoolRole.CONTROL_PLANE and index == 1,
            kubernetes_version=cluster.kubernetes_version,
            image_template=cluster.image_template,
        )
        for index in range(1, request.size + 1)
    ]
