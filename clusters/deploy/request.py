"""From a complete draft to what the cluster shall be."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from clusters.actions.requests import (
    AddOnRequest,
    Autoscaling,
    ClusterRequest,
    LayerRequest,
    PlacementRequest,
    PoolRequest,
    StackRequest,
)
from clusters.deploy.accounts import account_of
from clusters.deploy.drafts import BASICS, PARAMETERS, PLACEMENT, POOLS, page_values, variables_of
from clusters.deploy.forms.pools import MASTER
from clusters.deploy.layers import ChangedProfile, profiles_of
from clusters.deploy.sizes import CUSTOM, MIB_PER_GB
from clusters.models import AddressAllocation, ClusterPurpose, DeployDraft, PoolRole, RollingUpdate
from clusters.names import label
from clusters.profiles.models import LayerKind
from clusters.profiles.packs import NoSuchPack
from clusters.profiles.placeholders import NoSuchValue
from clusters.profiles.render import ClusterFacts, NodeInputs, node_inputs
from clusters.profiles.yaml_text import Unreadable
from gateways.models import CloudAccount
from ippools.models import IPPool
from palette_portal.bootstrap.nodes import Taint, TaintEffect
from palette_portal.bootstrap.secret import Secret
from palette_portal.http import Conflict


def request_of(draft: DeployDraft) -> ClusterRequest:
    """Raise Conflict when something it names is not there any more."""
    basics, placement = page_values(draft, BASICS), page_values(draft, PLACEMENT)
    account = account_of(draft)
    if account is None:
        raise Conflict(
            f"The cloud account {placement['account_name']} cannot be used now. Select another one."
        )
    stack = _stack(draft)
    inputs = _inputs(draft, stack, account)
    is_dhcp = placement["allocation"] == AddressAllocation.DHCP
    return ClusterRequest(
        name=basics["name"],
        purpose=ClusterPurpose.TENANT,
        gateway=account.gateway,
        cloud_account=account,
        kubernetes_version=inputs.kubernetes_version,
        image_template=inputs.image_template,
        image_url=inputs.image_url,
        image_folder=placement["image_folder"],
        datacenter_moid=placement["datacenter"],
        datacenter_name=placement["names"]["datacenter"],
        folder_moid=placement["folder"],
        folder_name=placement["names"]["folder"],
        has_own_folder=placement["own_folder"],
        region=placement["region"],
        address_allocation=AddressAllocation(placement["allocation"]),
        endpoint_host=placement["endpoint_host"] if is_dhcp else "",
        search_domain=placement["search_domain"] if is_dhcp else "",
        ssh_keys=tuple(placement["ssh_keys"]),
        ntp_servers=tuple(placement["ntp_servers"]),
        pod_cidr=inputs.pod_cidr,
        service_cidr=inputs.service_cidr,
        project=draft.project,
        description=basics["description"],
        tags=tuple(basics["tags"]),
        profile_version=stack.version,
        layers=stack.layers,
        variables=stack.variables,
        add_ons=stack.add_ons,
        pools=_pools(page_values(draft, POOLS), account, is_dhcp=is_dhcp),
    )


def _stack(draft: DeployDraft) -> StackRequest:
    if draft.profile_version is None:
        raise Conflict("Choose a cluster profile.")
    profiles = profiles_of(draft, page_values(draft, PARAMETERS)["layers"])
    return stack_request(profiles, variables_of(draft))


def stack_request(profiles: Sequence[ChangedProfile], given: Mapping[str, str]) -> StackRequest:
    """The first is the cluster's own."""
    own, *add_ons = profiles
    return StackRequest(
        version=own.profile.version,
        layers=_layers(own),
        variables=given,
        add_ons=tuple(AddOnRequest(one.profile.version, _layers(one)) for one in add_ons),
    )


def _layers(changed: ChangedProfile) -> tuple[LayerRequest, ...]:
    return tuple(
        LayerRequest(LayerKind(one.layer.kind), one.name, one.layer.pack_version, one.text)
        for one in changed.layers
    )


def _inputs(draft: DeployDraft, stack: StackRequest, account: CloudAccount) -> NodeInputs:
    placement = page_values(draft, PLACEMENT)
    facts = ClusterFacts(
        cluster_name=label(page_values(draft, BASICS)["name"]),
        endpoint_host=placement["endpoint_host"],
        vcenter_server=account.vcenter_server,
        datacenter_name=placement["names"]["datacenter"],
        username=account.username,
        password=Secret(account.password),
        images_url=settings.PROFILES_IMAGES_URL,
    )
    try:
        return node_inputs(stack.groups, facts)
    except (NoSuchPack, NoSuchValue, Unreadable) as error:
        raise Conflict(f"The parameters cannot be used: {error}") from error
    except KeyError as error:
        raise Conflict("The cluster profile lacks an operating system or Kubernetes.") from error


def _pools(values: Mapping[str, Any], account: CloudAccount, *, is_dhcp: bool) -> tuple[PoolRequest, ...]:
    roles = [
        (PoolRole.CONTROL_PLANE, values[MASTER]),
        *((PoolRole.WORKER, pool) for pool in values["workers"]),
    ]
    known = {} if is_dhcp else {str(pool.pk): pool for pool in IPPool.objects.filter(gateway=account.gateway)}
    return tuple(pool_request(role, pool, known, is_dhcp=is_dhcp) for role, pool in roles)


def pool_request(
    role: PoolRole, values: Mapping[str, Any], ip_pools: Mapping[str, IPPool], *, is_dhcp: bool
) -> PoolRequest:
    """Of one pool's form; `ip_pools` by id. Raise Conflict when its IP pool is gone."""
    ip_pool = None if is_dhcp else ip_pools.get(values.get("ip_pool", ""))
    if ip_pool is None and not is_dhcp:
        raise Conflict(f"The IP pool of {values['name']} does not exist any more. Select another one.")
    is_master = role == PoolRole.CONTROL_PLANE
    scaling = values.get("autoscales") or False
    return PoolRequest(
        name=values["name"],
        role=role,
        size=values["size"],
        num_cpus=values["num_cpus"],
        memory_mib=values["memory_gb"] * MIB_PER_GB,
        disk_gib=values["disk_gib"],
        placements=tuple(_placement(zone) for zone in values["zones"]),
        ip_pool=ip_pool,
        instance_type="" if values["instance_type"] == CUSTOM else values["instance_type"],
        labels=values["labels"],
        taints=tuple(Taint(t["key"], t["value"], TaintEffect(t["effect"])) for t in values["taints"]),
        takes_workloads=values["takes_workloads"] if is_master else True,
        autoscaling=Autoscaling(values["minimum_size"], values["maximum_size"]) if scaling else None,
        rolling_update=RollingUpdate.EXPAND_FIRST if is_master else RollingUpdate(values["rolling_update"]),
        surge=1 if is_master else values["surge"],
        unavailable=0 if is_master else values["unavailable"],
    )


def _placement(zone: Mapping[str, Any]) -> PlacementRequest:
    moids = {f"{choice}_moid": zone[choice] for choice in _CHOICES}
    names = {f"{choice}_name": zone["names"][choice] for choice in _CHOICES}
    return PlacementRequest(**moids, **names, zone=zone["zone"])


_CHOICES = ("compute_cluster", "resource_pool", "datastore", "network")
