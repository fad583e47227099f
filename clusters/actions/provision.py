"""Create a cluster with its pools and machines, and the operation that makes them real: one transaction."""

import json
from collections.abc import Sequence

from django.db import transaction

from clusters.actions.machines import create_pool
from clusters.actions.queue import why_queued
from clusters.actions.requests import (
    Autoscaling,
    ClusterRequest,
    LayerRequest,
    PlacementRequest,
    PoolRequest,
)
from clusters.actions.stacks import write_stack
from clusters.models import (
    AddressAllocation,
    Cluster,
    ClusterSecrets,
    Machine,
    MachinePool,
    PoolRole,
)
from clusters.names import machine_name
from clusters.plan import provision_plan
from clusters.states import ClusterState, move_cluster
from ippools.actions import reserve
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import start_operation
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants.models import User

__all__ = [
    "Autoscaling",
    "ClusterRequest",
    "LayerRequest",
    "PlacementRequest",
    "PoolRequest",
    "provision_cluster",
]


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
    _create_layers(cluster, request)
    machines = [machine for pool in request.pools for machine in _create_machines(create_pool(cluster, pool))]
    move_cluster(cluster, ClusterState.PROVISIONING)
    operation = start_operation(
        kind=OperationKind.PROVISION,
        subject=cluster.subject,
        steps=provision_plan(cluster, machines, extra_steps=extra_steps),
        by=by,
        queued_because=why_queued(cluster),
    )
    return cluster, operation


def _check_addresses(request: ClusterRequest) -> None:
    if request.address_allocation == AddressAllocation.DHCP:
        if not request.endpoint_host:
            raise Conflict("With DHCP the Kubernetes API needs an address or a DNS name of its own.")
        return
    for pool in request.pools:
        if pool.ip_pool is None:
            raise Conflict(f"Choose an IP pool for {pool.name}, or DHCP.")
    reserve(request.reservations)


def _create_cluster(request: ClusterRequest, by: User | None) -> Cluster:
    return Cluster.objects.create(
        tenant_id=request.gateway.tenant_id,
        project=request.project,
        purpose=request.purpose,
        gateway=request.gateway,
        cloud_account=request.cloud_account,
        name=request.name,
        description=request.description,
        tags=list(request.tags),
        profile_version=request.profile_version,
        kubernetes_version=request.kubernetes_version,
        image_template=request.image_template,
        image_folder=request.image_folder,
        image_url=request.image_url,
        datacenter_moid=request.datacenter_moid,
        datacenter_name=request.datacenter_name,
        region=request.region,
        folder_moid=request.folder_moid,
        folder_name=request.folder_name,
        has_own_folder=request.has_own_folder,
        search_domain=request.search_domain,
        ssh_keys=list(request.ssh_keys),
        ntp_servers=list(request.ntp_servers),
        address_allocation=request.address_allocation,
        endpoint_host=request.endpoint_host,
        pod_cidr=request.pod_cidr,
        service_cidr=request.service_cidr,
        created_by=by,
    )


def _create_layers(cluster: Cluster, request: ClusterRequest) -> None:
    write_stack(cluster, layers=request.layers, add_ons=request.add_ons)
    if request.variables:
        # A step adds the certificates later.
        ClusterSecrets.objects.create(cluster=cluster, variables=json.dumps(dict(request.variables)))


def _create_machines(pool: MachinePool) -> list[Machine]:
    """In turn over the places."""
    placements = list(pool.placements.all())
    cluster, is_master = pool.cluster, pool.role == PoolRole.CONTROL_PLANE
    return Machine.objects.bulk_create(
        Machine(
            cluster=cluster,
            pool=pool,
            placement=placements[(index - 1) % len(placements)],
            index=index,
            name=machine_name(cluster.name, pool="cp" if is_master else pool.name, index=index),
            is_first=is_master and index == 1,
            kubernetes_version=cluster.kubernetes_version,
            image_template=cluster.image_template,
        )
        for index in range(1, pool.size + 1)
    )
