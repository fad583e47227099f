"""Clusters of a project for benchmarks: deployed with the action that the wizard calls, on the lab."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tests.lab.vcsim import Lab

if TYPE_CHECKING:
    from clusters.actions.provision import ClusterRequest
    from clusters.models import Cluster
    from palette_portal.tenants.models import User

LAYERS = (
    ("os", "ubuntu", "24.04"),
    ("kubernetes", "kubernetes", "1.36.4"),
    ("cni", "calico", "3.33.0"),
    ("csi", "vsphere-csi", "3.8.0"),
)


@dataclass
class Deployer:
    by: "User"
    template: "ClusterRequest"

    def deploy(self, name: str, *, masters: int, workers: int) -> "Cluster":
        from clusters.actions.deploy import deploy_cluster

        pools = [
            replace(pool, size=size)
            for pool, size in zip(self.template.pools, (masters, workers), strict=True)
        ]
        return deploy_cluster(request=replace(self.template, name=name, pools=tuple(pools)), by=self.by)


def make_deployer(lab: Lab) -> Deployer:
    """One gateway with a large IP pool, one profile, three zones on one compute cluster."""
    from clusters.actions.provision import ClusterRequest, LayerRequest, PoolRequest
    from clusters.models import AddressAllocation, ClusterPurpose, PoolRole
    from tests.factories import bao, make_cloud_account, make_gateway, make_pool, make_project

    gateway = make_gateway(state="Running")
    pool = make_pool(gateway, start="10.20.0.10", end="10.20.15.250", prefix=16, gateway_address="10.20.0.1")
    place = placement(lab)
    nodes: dict[str, Any] = {"num_cpus": 2, "memory_mib": 2048, "disk_gib": 20, "ip_pool": pool}
    zones = tuple(replace(place["place"], zone=zone) for zone in ("zone-a", "zone-b", "zone-c"))
    return Deployer(
        by=bao(),
        template=ClusterRequest(
            name="",
            purpose=ClusterPurpose.TENANT,
            gateway=gateway,
            cloud_account=make_cloud_account(gateway, **account_of(lab)),
            kubernetes_version="1.36.4",
            image_template="r_u-2204-0-k-1312-0",
            datacenter_moid=place["datacenter"].moid,
            datacenter_name=place["datacenter"].name,
            folder_moid=place["folder"].moid,
            folder_name=place["folder"].path,
            address_allocation=AddressAllocation.STATIC,
            project=make_project(),
            profile_version=make_profile_version(),
            layers=tuple(LayerRequest(*layer) for layer in LAYERS),
            pools=(
                PoolRequest("masters", PoolRole.CONTROL_PLANE, 1, placements=zones, **nodes),
                PoolRequest("workers", PoolRole.WORKER, 1, placements=zones, **nodes),
            ),
        ),
    )


def account_of(lab: Lab) -> dict[str, str]:
    login = lab.login()
    return {"vcenter_server": login.pop("server"), **login}


def placement(lab: Lab) -> dict[str, Any]:
    from clusters.actions.provision import PlacementRequest
    from palette_portal.vsphere.inventory import read_inventory
    from palette_portal.vsphere.session import connect

    with connect(lab.credentials()) as session:
        inventory = read_inventory(session)
    found = {
        "compute": next(item for item in inventory.compute_clusters if item.name == "cluster-1"),
        "datastore": next(item for item in inventory.datastores if item.name == "shared-nfs-1"),
        "network": next(item for item in inventory.networks if item.name == "k8s-nodes"),
    }
    pools = (item for item in inventory.resource_pools if item.name == "workloads")
    pool = next(item for item in pools if item.compute_cluster_moid == found["compute"].moid)
    place = PlacementRequest(
        compute_cluster_moid=found["compute"].moid,
        compute_cluster_name=found["compute"].name,
        resource_pool_moid=pool.moid,
        resource_pool_name=pool.path,
        datastore_moid=found["datastore"].moid,
        datastore_name=found["datastore"].name,
        network_moid=found["network"].moid,
        network_name=found["network"].name,
    )
    folder = next(item for item in inventory.folders if item.name == "palette-clusters")
    return {"place": place, "datacenter": inventory.datacenters[0], "folder": folder}


def make_profile_version() -> Any:
    from django.utils import timezone

    from clusters.profiles.models import ClusterProfile, ProfileVersion
    from tests.factories import make_tenant

    profile = ClusterProfile.objects.create(tenant=make_tenant(), name="starter")
    return ProfileVersion.objects.create(
        profile=profile, version="1.0.0", rank=10**12, published_at=timezone.now()
    )
