import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from clusters.states import ClusterHealth, ClusterState, MachineState
from gateways.models import CloudAccount, PrivateCloudGateway
from ippools.models import IPPool
from palette_portal.encryption import EncryptedTextField
from palette_portal.orchestration.steps import Subject
from palette_portal.tenants.models import Project, Tenant, User
from palette_portal.tenants.permissions import Permission, can


class ClusterPurpose(models.TextChoices):
    GATEWAY = "gateway", "Gateway cluster"
    TENANT = "tenant", "Tenant cluster"


class AddressAllocation(models.TextChoices):
    STATIC = "static", "Static IP"
    DHCP = "dhcp", "DHCP"


class ClusterQuerySet(models.QuerySet["Cluster"]):
    def visible_to(self, user: User) -> "ClusterQuerySet":
        """Clusters of the user's projects; gateway clusters, which have none, for readers of the tenant."""
        in_tenant = self.filter(tenant_id=user.own_tenant_id)
        if can(user, Permission.VIEW_CLUSTERS):
            return in_tenant
        return in_tenant.filter(project__in=Project.objects.where(user, Permission.VIEW_CLUSTERS))

    def present(self) -> "ClusterQuerySet":
        return self.exclude(state=ClusterState.DELETED)

    def gateway_bodies(self) -> "ClusterQuerySet":
        return self.present().filter(purpose=ClusterPurpose.GATEWAY)


class Cluster(models.Model):
    """A Kubernetes cluster on vSphere; with purpose gateway, the body of a private cloud gateway."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="clusters")
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.PROTECT, related_name="clusters"
    )
    purpose = models.CharField(max_length=8, choices=ClusterPurpose)
    gateway = models.ForeignKey(PrivateCloudGateway, on_delete=models.PROTECT, related_name="clusters")
    # Given until the cluster is Deleted: what is left then is history, and the account may go.
    cloud_account = models.ForeignKey(
        CloudAccount, null=True, blank=True, on_delete=models.PROTECT, related_name="clusters"
    )
    name = models.CharField(max_length=63)
    state = models.CharField(max_length=16, choices=ClusterState, default=ClusterState.PENDING)
    health = models.CharField(max_length=16, choices=ClusterHealth, default=ClusterHealth.UNKNOWN)

    kubernetes_version = models.CharField(max_length=32)
    image_template = models.CharField(max_length=80)
    image_folder = models.CharField(max_length=255, default="spectro-templates")
    datacenter_moid = models.CharField(max_length=64)
    datacenter_name = models.CharField(max_length=255)
    folder_moid = models.CharField(max_length=64)
    folder_name = models.CharField(max_length=255)
    ssh_keys = ArrayField(models.TextField(), default=list, blank=True)
    ntp_servers = ArrayField(models.CharField(max_length=255), default=list, blank=True)
    address_allocation = models.CharField(max_length=8, choices=AddressAllocation)
    # IP address (claimed from the pool, or given by the admin with DHCP) or DNS name of the Kubernetes API.
    endpoint_host = models.CharField(max_length=255, blank=True)
    pod_cidr = models.CharField(max_length=43)
    service_cidr = models.CharField(max_length=43)

    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    running_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = ClusterQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(purpose=ClusterPurpose.GATEWAY, project=None)
                | Q(purpose=ClusterPurpose.TENANT, project__isnull=False),
                name="cluster_project_unless_gateway",
            ),
            models.UniqueConstraint(
                fields=["gateway"],
                condition=Q(purpose=ClusterPurpose.GATEWAY) & ~Q(state=ClusterState.DELETED),
                name="cluster_one_body_per_gateway",
            ),
            models.UniqueConstraint(
                fields=["tenant", "project", "name"],
                condition=~Q(state=ClusterState.DELETED),
                nulls_distinct=False,
                name="cluster_name_unique_in_scope",
            ),
            models.CheckConstraint(
                condition=Q(state=ClusterState.DELETED, deleted_at__isnull=False)
                | (~Q(state=ClusterState.DELETED) & Q(deleted_at=None)),
                name="cluster_deleted_with_time",
            ),
            models.CheckConstraint(
                condition=Q(state=ClusterState.DELETED) | Q(cloud_account__isnull=False),
                name="cluster_account_until_deleted",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> Subject:
        return Subject(
            kind="cluster", id=self.id, name=self.name, tenant_id=self.tenant_id, project_id=self.project_id
        )

    @property
    def wake_reference(self) -> str:
        """What a waiting step names so that a report of any of the cluster's nodes wakes it."""
        return f"cluster:{self.id}"

    @property
    def endpoint(self) -> str:
        return f"{self.endpoint_host}:6443" if self.endpoint_host else ""


class ClusterSecrets(models.Model):
    """What only the portal and the cluster's own nodes may know."""

    cluster = models.OneToOneField(Cluster, on_delete=models.CASCADE, related_name="secrets")
    pki = EncryptedTextField()
    admin_kubeconfig = EncryptedTextField()
    bootstrap_token = EncryptedTextField()
    certificates_expire_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"secrets of {self.cluster_id}"


class PoolRole(models.TextChoices):
    CONTROL_PLANE = "control-plane", "Master Pool"
    WORKER = "worker", "Worker Pool"


class MachinePool(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="machine_pools")
    name = models.CharField(max_length=63)
    role = models.CharField(max_length=16, choices=PoolRole)
    size = models.PositiveSmallIntegerField()
    num_cpus = models.PositiveSmallIntegerField()
    memory_mib = models.PositiveIntegerField()
    disk_gib = models.PositiveIntegerField()
    ip_pool = models.ForeignKey(
        IPPool, null=True, blank=True, on_delete=models.PROTECT, related_name="machine_pools"
    )

    class Meta:
        ordering = ["role", "name"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "name"], name="machine_pool_name_unique_in_cluster"),
            models.UniqueConstraint(
                fields=["cluster"],
                condition=Q(role=PoolRole.CONTROL_PLANE),
                name="machine_pool_one_control_plane",
            ),
            models.CheckConstraint(
                condition=Q(role=PoolRole.WORKER) | Q(size__in=[1, 3, 5]),
                name="machine_pool_control_plane_1_3_5",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Placement(models.Model):
    """Where machines of a pool go: one compute cluster with its resource pool, datastore and network."""

    pool = models.ForeignKey(MachinePool, on_delete=models.CASCADE, related_name="placements")
    zone = models.CharField(max_length=80, blank=True)
    compute_cluster_moid = models.CharField(max_length=64)
    compute_cluster_name = models.CharField(max_length=255)
    resource_pool_moid = models.CharField(max_length=64)
    resource_pool_name = models.CharField(max_length=255)
    datastore_moid = models.CharField(max_length=64)
    datastore_name = models.CharField(max_length=255)
    network_moid = models.CharField(max_length=64)
    network_name = models.CharField(max_length=255)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.compute_cluster_name} / {self.datastore_name}"


class MachineQuerySet(models.QuerySet["Machine"]):
    def present(self) -> "MachineQuerySet":
        return self.exclude(state=MachineState.DELETED)


class Machine(models.Model):
    """One virtual machine of ours. The id is given to vCenter as the VM's instance UUID."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="machines")
    pool = models.ForeignKey(MachinePool, on_delete=models.PROTECT, related_name="machines")
    placement = models.ForeignKey(Placement, on_delete=models.PROTECT, related_name="+")
    index = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=80)
    state = models.CharField(max_length=16, choices=MachineState, default=MachineState.PENDING)
    moid = models.CharField(max_length=64, blank=True)
    bios_uuid = models.CharField(max_length=36, blank=True)
    mac_address = models.CharField(max_length=17, blank=True)
    host_name = models.CharField(max_length=255, blank=True)
    ip_address = models.GenericIPAddressField(null=True, blank=True)
    kubelet_version = models.CharField(max_length=32, blank=True)
    report_token_hash = models.CharField(max_length=64, blank=True)
    # The furthest phase the node reported, its words and when; see clusters/api.py.
    phase = models.CharField(max_length=24, blank=True)
    phase_message = models.TextField(blank=True)
    last_report_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    running_at = models.DateTimeField(null=True, blank=True)

    objects = MachineQuerySet.as_manager()

    class Meta:
        ordering = ["pool", "index"]
        constraints = [
            models.UniqueConstraint(
                fields=["pool", "index"],
                condition=~Q(state=MachineState.DELETED),
                name="machine_index_unique_in_pool",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def wake_reference(self) -> str:
        """What a waiting step names so that a report of this machine's node wakes it."""
        return f"machine:{self.id}"
