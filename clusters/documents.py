"""From our rows to what a node and its VM shall be. The same rows always give the same documents."""

from dataclasses import replace

from django.conf import settings

from clusters.models import AddressAllocation, Cluster, Machine, PoolRole
from clusters.names import label
from clusters.tokens import report_token
from gateways.installer.rules import decode_certificate
from gateways.models import PrivateCloudGateway
from ippools.models import IPAddressClaim
from palette_portal.bootstrap.cloud_init import metadata, user_data
from palette_portal.bootstrap.flannel import pod_network
from palette_portal.bootstrap.guestinfo import guestinfo
from palette_portal.bootstrap.nodes import (
    ClusterSpec,
    NodeRole,
    NodeSpec,
    Proxy,
    ReportTarget,
    StaticAddress,
)
from palette_portal.bootstrap.pki import load_pki
from palette_portal.bootstrap.secret import Secret
from palette_portal.vsphere.machines import CloneSpec

NODE_ADDRESS = "node"
VIRTUAL_ADDRESS = "vip"
# Found in vCenter by somebody who has lost the portal: whose machine this is.
CLUSTER_MARK = "palette.cluster"
MACHINE_MARK = "palette.machine"


def clone_spec(machine: Machine) -> CloneSpec:
    pool, placement, cluster = machine.pool, machine.placement, machine.cluster
    return CloneSpec(
        name=machine.name,
        instance_uuid=str(machine.id),
        folder_moid=cluster.folder_moid,
        resource_pool_moid=placement.resource_pool_moid,
        datastore_moid=placement.datastore_moid,
        network_moids=(placement.network_moid,),
        num_cpus=pool.num_cpus,
        memory_mib=pool.memory_mib,
        disk_gib=pool.disk_gib,
        annotation=f"Node of the Kubernetes cluster {cluster.name}, made by Palette Portal.",
        extra_config={CLUSTER_MARK: str(cluster.id), MACHINE_MARK: str(machine.id)},
    )


def guest_documents(machine: Machine, *, mac_address: str) -> dict[str, str]:
    """The VM's extraConfig with the node's documents; full of secrets."""
    node = node_spec(machine, mac_address=mac_address)
    # While nodes are replaced, the cluster has nodes of two versions.
    cluster = replace(cluster_spec(machine.cluster), kubernetes_version=machine.kubernetes_version)
    return guestinfo(metadata(node), user_data(cluster, node))


def cluster_spec(cluster: Cluster) -> ClusterSpec:
    gateway, secrets = cluster.gateway, cluster.secrets
    return ClusterSpec(
        name=label(cluster.name),
        kubernetes_version=cluster.kubernetes_version,
        endpoint=cluster.endpoint_host,
        pki=load_pki(secrets.pki),
        bootstrap_token=Secret(secrets.bootstrap_token),
        pod_cidr=cluster.pod_cidr,
        service_cidr=cluster.service_cidr,
        ssh_keys=tuple(cluster.ssh_keys),
        ntp_servers=tuple(cluster.ntp_servers),
        proxy=_proxy(gateway),
        trusted_certificates=(decode_certificate(encoded),) if (encoded := gateway.proxy_certificate) else (),
        manifests=(pod_network(cluster.pod_cidr),),
        workloads_on_control_plane=cluster.machine_pools.get(role=PoolRole.CONTROL_PLANE).takes_workloads,
    )


def node_spec(machine: Machine, *, mac_address: str) -> NodeSpec:
    token = report_token(machine)
    return NodeSpec(
        machine=machine.id,
        name=machine.name,
        role=_role(machine),
        report=ReportTarget.at_portal(settings.PUBLIC_URL, machine=machine.id, token=token),
        address=_static_address(machine),
        mac_address=mac_address,
    )


def _role(machine: Machine) -> NodeRole:
    if machine.pool.role == PoolRole.WORKER:
        return NodeRole.WORKER
    return NodeRole.FIRST_CONTROL_PLANE if machine.is_first else NodeRole.CONTROL_PLANE


def _static_address(machine: Machine) -> StaticAddress | None:
    if machine.cluster.address_allocation == AddressAllocation.DHCP:
        return None
    claims = IPAddressClaim.objects.held().select_related("pool")
    claim = claims.get(owner_id=machine.id, purpose=NODE_ADDRESS)
    return StaticAddress(
        address=claim.address,
        prefix=claim.pool.prefix,
        gateway=claim.pool.gateway_address,
        nameservers=tuple(claim.pool.name_servers),
        search_domains=tuple(claim.pool.search_suffixes),
    )


def _proxy(gateway: PrivateCloudGateway) -> Proxy | None:
    if not (gateway.http_proxy or gateway.https_proxy):
        return None
    return Proxy(http=gateway.http_proxy, https=gateway.https_proxy, no_proxy=gateway.no_proxy)
