"""From our rows to what a node and its VM shall be. The same rows always give the same documents."""

import json
from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings

from clusters.models import AddressAllocation, Cluster, ClusterLayer, Machine, PoolRole
from clusters.names import label
from clusters.profiles.packs import find_pack
from clusters.profiles.render import ClusterFacts, LayerGroup, NodeInputs, node_inputs
from clusters.profiles.stack import add_on, values_in
from clusters.profiles.variables import read_variables
from clusters.tokens import report_token
from gateways.installer.rules import decode_certificate
from gateways.models import PrivateCloudGateway
from ippools.models import IPAddressClaim
from palette_portal.bootstrap.cloud_init import metadata, user_data
from palette_portal.bootstrap.flannel import pod_network
from palette_portal.bootstrap.guestinfo import guestinfo
from palette_portal.bootstrap.labels import REGION, ZONE
from palette_portal.bootstrap.nodes import (
    ClusterSpec,
    NodeRole,
    NodeSpec,
    Proxy,
    ReportTarget,
    StaticAddress,
    Taint,
    TaintEffect,
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
        folder_moid=cluster.own_folder_moid or cluster.folder_moid,
        resource_pool_moid=placement.resource_pool_moid,
        datastore_moid=placement.datastore_moid,
        network_moids=(placement.network_moid,),
        num_cpus=pool.num_cpus,
        memory_mib=pool.memory_mib,
        disk_gib=pool.disk_gib,
        annotation=_annotation(cluster),
        extra_config={CLUSTER_MARK: str(cluster.id), MACHINE_MARK: str(machine.id)},
    )


def _annotation(cluster: Cluster) -> str:
    made = f"Node of the Kubernetes cluster {cluster.name}, made by Palette Portal."
    return f"{made}\nTags: {', '.join(cluster.tags)}" if cluster.tags else made


def guest_documents(machine: Machine, *, mac_address: str) -> dict[str, str]:
    """The VM's extraConfig with the node's documents; full of secrets."""
    node = node_spec(machine, mac_address=mac_address)
    # While nodes are replaced, the cluster has nodes of two versions.
    spec = cluster_spec(machine.cluster, with_packs=machine.is_first)
    cluster = replace(spec, kubernetes_version=machine.kubernetes_version)
    return guestinfo(metadata(node), user_data(cluster, node))


def cluster_spec(cluster: Cluster, *, with_packs: bool = True) -> ClusterSpec:
    """Only the first node applies packs; rendering them takes longer than all the rest."""
    gateway, secrets, layers = cluster.gateway, cluster.secrets, list(cluster.layers.all())
    packs = packs_of(cluster) if with_packs else None
    versions = [find_pack(layer.pack, layer.pack_version) for layer in layers]
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
        manifests=packs.manifests if packs else () if layers else (pod_network(cluster.pod_cidr),),
        kubeadm=packs.kubeadm if packs else {},
        external_cloud_provider=any(version.external_cloud_provider for version in versions),
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
        labels=_labels(machine),
        taints=tuple(
            Taint(**{**taint, "effect": TaintEffect(taint["effect"])}) for taint in machine.pool.taints
        ),
        search_domain=machine.cluster.search_domain,
    )


def packs_of(cluster: Cluster) -> NodeInputs | None:
    """What the cluster's layers make of its nodes; None for one without a profile. Full of secrets."""
    layers = list(cluster.layers.all())
    return node_inputs(_groups(cluster, layers), pack_facts(cluster)) if layers else None


def _groups(cluster: Cluster, layers: Sequence[ClusterLayer]) -> list[LayerGroup]:
    """The cluster's own profile first, then its add-on profiles in their order."""
    given, version = json.loads(cluster.secrets.variables or "{}"), cluster.profile_version
    by_add_on: dict[int | None, list[ClusterLayer]] = {None: []}
    for layer in layers:
        by_add_on.setdefault(layer.add_on_id, []).append(layer)
    own = LayerGroup(
        by_add_on[None], read_variables(version.variables) if version else (), values_in("", given)
    )
    add_ons = cluster.add_ons.select_related("version") if len(by_add_on) > 1 else []
    return [own, *(add_on(row.version).group(by_add_on.get(row.pk, []), given) for row in add_ons)]


def pack_facts(cluster: Cluster) -> ClusterFacts:
    account = cluster.cloud_account
    assert account is not None  # the database sees to it until the cluster is Deleted
    return ClusterFacts(
        cluster_name=label(cluster.name),
        endpoint_host=cluster.endpoint_host,
        vcenter_server=account.vcenter_server,
        datacenter_name=cluster.datacenter_name,
        username=account.username,
        password=Secret(account.password),
        images_url=settings.PROFILES_IMAGES_URL,
    )


def _labels(machine: Machine) -> dict[str, str]:
    places = {REGION: machine.cluster.region, ZONE: machine.placement.zone}
    return {**machine.pool.labels, **{key: value for key, value in places.items() if value}}


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
