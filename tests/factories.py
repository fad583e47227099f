"""Objects for tests: small functions with defaults. People are always the same three: amelia, bao, carla."""

from datetime import timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from clusters.models import (
    AddressAllocation,
    Cluster,
    ClusterPurpose,
    Machine,
    MachinePool,
    Placement,
    PoolRole,
)
from gateways.actions.pairing import hash_token
from gateways.models import CloudAccount, GatewayRelease, PrivateCloudGateway
from ippools.models import IPPool, NetworkType
from palette_portal.tenants.models import Membership, Project, Tenant, User
from palette_portal.tenants.roles import Role

PASSWORD = "correct horse battery staple"
_numbers = count(1)


def make_tenant(name: str = "Acme Industrial", **fields: Any) -> Tenant:
    slug = name.lower().replace(" ", "-")
    return Tenant.objects.get_or_create(slug=slug, defaults={"name": name, **fields})[0]


def make_project(tenant: Tenant | None = None, name: str = "payments") -> Project:
    return Project.objects.get_or_create(tenant=tenant or make_tenant(), slug=name, defaults={"name": name})[
        0
    ]


def make_user(name: str, role: Role, *, tenant: Tenant | None = None, project: Project | None = None) -> User:
    tenant = tenant or (project.tenant if project else make_tenant())
    user = User.objects.create_user(
        f"{name}@{tenant.slug}.test", PASSWORD, full_name=name.title(), tenant=tenant
    )
    Membership.objects.create(user=user, tenant=tenant, project=project, role=role)
    return user


def amelia() -> User:
    """Tenant admin."""
    return make_user("amelia", Role.TENANT_ADMIN)


def bao() -> User:
    """Project editor."""
    return make_user("bao", Role.PROJECT_EDITOR, project=make_project())


def carla() -> User:
    """Tenant admin of another tenant."""
    return make_user("carla", Role.TENANT_ADMIN, tenant=make_tenant("Borealis"))


def make_gateway(
    tenant: Tenant | None = None, *, registered: bool = True, **fields: Any
) -> PrivateCloudGateway:
    if registered:
        fields = {
            "name": f"gateway-{next(_numbers)}",
            "registered_at": timezone.now() - timedelta(minutes=5),
            "installer_ip": "10.10.0.9",
            "installer_version": "1.0.0",
            "installer_token_hash": hash_token("installer-token"),
            **fields,
        }
    return PrivateCloudGateway.objects.create(tenant=tenant or make_tenant(), **fields)


def make_release(version: str = "1.0.0") -> GatewayRelease:
    defaults = {"kubernetes_version": "1.31.2", "image_template": "r_u-2204-0-k-1312-0"}
    return GatewayRelease.objects.get_or_create(version=version, defaults=defaults)[0]


def make_cloud_account(gateway: PrivateCloudGateway | None = None, **fields: Any) -> CloudAccount:
    gateway = gateway or make_gateway()
    values = {
        "name": f"account-{next(_numbers)}",
        "vcenter_server": "vcenter.acme.test",
        "username": "portal@vsphere.local",
        "password": "vCenter-Passw0rd",
        **fields,
    }
    return CloudAccount.objects.create(tenant=gateway.tenant, gateway=gateway, **values)


def make_pool(gateway: PrivateCloudGateway | None = None, **fields: Any) -> IPPool:
    gateway = gateway or make_gateway()
    values = {
        "name": f"pool-{next(_numbers)}",
        "network_type": NetworkType.RANGE,
        "start": "10.10.183.20",
        "end": "10.10.183.40",
        "prefix": 24,
        "gateway_address": "10.10.183.1",
        "name_servers": ["10.10.0.2"],
        **fields,
    }
    return IPPool.objects.create(tenant=gateway.tenant, gateway=gateway, **values)


def make_cluster(gateway: PrivateCloudGateway | None = None, **fields: Any) -> Cluster:
    """A gateway cluster unless a project is given."""
    gateway = gateway or make_gateway()
    account = fields.pop("cloud_account", None) or make_cloud_account(gateway)
    values = {
        "name": gateway.name or f"cluster-{next(_numbers)}",
        "purpose": ClusterPurpose.TENANT if fields.get("project") else ClusterPurpose.GATEWAY,
        "kubernetes_version": "1.31.2",
        "image_template": "r_u-2204-0-k-1312-0",
        "datacenter_moid": "datacenter-2",
        "datacenter_name": "dc-1",
        "folder_moid": "group-v3",
        "folder_name": "palette-gateways",
        "address_allocation": AddressAllocation.STATIC,
        "pod_cidr": "10.244.0.0/16",
        "service_cidr": "10.96.0.0/12",
        **fields,
    }
    return Cluster.objects.create(tenant=gateway.tenant, gateway=gateway, cloud_account=account, **values)


def make_machine_pool(cluster: Cluster | None = None, **fields: Any) -> MachinePool:
    """The control plane with one placement."""
    values = {
        "name": "master-pool",
        "role": PoolRole.CONTROL_PLANE,
        "size": 1,
        "num_cpus": 2,
        "memory_mib": 4096,
        "disk_gib": 60,
        **fields,
    }
    pool = MachinePool.objects.create(cluster=cluster or make_cluster(), **values)
    Placement.objects.create(
        pool=pool,
        compute_cluster_moid="domain-c1",
        compute_cluster_name="cluster-1",
        resource_pool_moid="resgroup-1",
        resource_pool_name="Resources",
        datastore_moid="datastore-1",
        datastore_name="shared-1",
        network_moid="network-1",
        network_name="VM Network",
    )
    return pool


def make_machine(pool: MachinePool | None = None, **fields: Any) -> Machine:
    pool = pool or make_machine_pool()
    values = {
        "index": 1,
        "placement": pool.placements.first(),
        "is_first": pool.role == PoolRole.CONTROL_PLANE and fields.get("index", 1) == 1,
        "kubernetes_version": pool.cluster.kubernetes_version,
        "image_template": pool.cluster.image_template,
        **fields,
    }
    name = f"{pool.cluster.name}-cp-{values['index']}"
    return Machine.objects.create(cluster=pool.cluster, pool=pool, **{"name": name, **values})
