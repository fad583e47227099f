import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils import timezone

from clusters.profiles.models import ClusterProfile, LayerKind, ProfileVersion
from clusters.states import ClusterHealth, ClusterState
from gateways.models import CloudAccount, PrivateCloudGateway
from palette_portal.encryption import EncryptedTextField
from palette_portal.orchestration.steps import Subject
from palette_portal.tenants.models import Project, Tenant, User
from palette_portal.tenants.permissions import Permission, can

# How long the list can still show a deleted cluster.
DELETED_SHOWN = timedelta(hours=72)


def numbers_padded(name: str) -> Func:
    """To sort 1.9 before 1.31: each number in the text gets six digits."""
    long = Func(F(name), Value(r"(\d+)"), Value(r"00000\1"), Value("g"), function="regexp_replace")
    return Func(long, Value(r"0*(\d{6})"), Value(r"\1"), Value("g"), function="regexp_replace")


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

    def in_states(self, states: Sequence[str]) -> "ClusterQuerySet":
        """All that are present unless states are named; of deleted ones those of the last 72 hours."""
        if not states:
            return self.present()
        gone = Q(state=ClusterState.DELETED, deleted_at__gte=timezone.now() - DELETED_SHOWN)
        present = Q(state__in=[state for state in states if state != ClusterState.DELETED])
        return self.filter(present | gone if ClusterState.DELETED in states else present)

    def tags_used(self) -> models.QuerySet[Any, str]:
        """The most used first."""
        each = self.annotate(tag=Func(F("tags"), function="unnest")).order_by().values("tag")
        return each.annotate(uses=models.Count("pk")).order_by("-uses", "tag").values_list("tag", flat=True)

    def gateway_bodies(self) -> "ClusterQuerySet":
        return self.present().filter(purpose=ClusterPurpose.GATEWAY)


_PRESENT = ~Q(state=ClusterState.DELETED)


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
    # Why it is not Healthy, as sentences for people.
    health_problems = ArrayField(models.TextField(), default=list, blank=True)
    description = models.TextField(blank=True)
    # "key" or "key:value"; put on the virtual machines as well.
    tags = ArrayField(models.CharField(max_length=128), default=list, blank=True)
    profile_version = models.ForeignKey(
        ProfileVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="clusters"
    )

    kubernetes_version = models.CharField(max_length=32)
    image_template = models.CharField(max_length=80)
    image_folder = models.CharField(max_length=255, default="spectro-templates")
    # Where the image comes from when the folder lacks the template; empty = somebody has to put it there.
    image_url = models.URLField(max_length=500, blank=True)
    datacenter_moid = models.CharField(max_length=64)
    datacenter_name = models.CharField(max_length=255)
    # The datacenter's tag in the category k8s-region, a label of every node; the zone is in the placement.
    region = models.CharField(max_length=80, blank=True)
    folder_moid = models.CharField(max_length=64)
    folder_name = models.CharField(max_length=255)
    # With a folder of the cluster's own in that one; its moid once the portal has made it.
    has_own_folder = models.BooleanField(default=False)
    own_folder_moid = models.CharField(max_length=64, blank=True)
    search_domain = models.CharField(max_length=253, blank=True)
    ssh_keys = ArrayField(models.TextField(), default=list, blank=True)
    ntp_servers = ArrayField(models.CharField(max_length=255), default=list, blank=True)
    address_allocation = models.CharField(max_length=8, choices=AddressAllocation)
    # IP address (claimed from the pool, or given by the admin with DHCP) or DNS name of the Kubernetes API.
    endpoint_host = models.CharField(max_length=255, blank=True)
    pod_cidr = models.CharField(max_length=43)
    service_cidr = models.CharField(max_length=43)
    # Replace a worker that stays unhealthy without being asked.
    repairs_itself = models.BooleanField(default=False)

    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    running_at = models.DateTimeField(null=True, blank=True)
    deleting_at = models.DateTimeField(null=True, blank=True)
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
        # Each was measured with 10,000 clusters: make bench ONLY=lists.
        indexes = [
            models.Index(fields=["tenant", "created_at", "id"], condition=_PRESENT, name="cluster_by_age"),
            models.Index(fields=["tenant", "name", "id"], condition=_PRESENT, name="cluster_by_name"),
            models.Index(fields=["tenant", "state", "name", "id"], name="cluster_by_state"),
            models.Index(
                fields=["tenant", "health", "name", "id"], condition=_PRESENT, name="cluster_by_health"
            ),
            models.Index(
                "tenant",
                numbers_padded("kubernetes_version"),
                "name",
                "id",
                condition=_PRESENT,
                name="cluster_by_version",
            ),
            *(
                models.Index(
                    fields=["tenant", group, "name", "id"], condition=_PRESENT, name=f"cluster_by_{group}"
                )
                for group in ("gateway", "project", "profile_version")
            ),
            GinIndex(fields=["tags"], name="cluster_by_tag"),
            GinIndex(
                fields=["name", "endpoint_host"],
                opclasses=["gin_trgm_ops", "gin_trgm_ops"],
                name="cluster_search",
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
    # None until the certificates are made.
    certificates_expire_at = models.DateTimeField(null=True, blank=True)
    # JSON: the values given for the profiles' variables, masked ones among them; by clusters.profiles.stack.
    variables = EncryptedTextField(blank=True)

    def __str__(self) -> str:
        return f"secrets of {self.cluster_id}"


class ClusterAddOn(models.Model):
    """An add-on profile on top of the cluster's own, in the version that the cluster has.

    The database sees to it that the version is one of the profile's.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="add_ons")
    profile = models.ForeignKey(ClusterProfile, on_delete=models.PROTECT, related_name="+")
    version = models.ForeignKey(ProfileVersion, on_delete=models.PROTECT, related_name="+")
    # Packs are applied in this order, after those of the cluster's own profile.
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "position"], name="cluster_add_on_position_unique"),
            models.UniqueConstraint(fields=["cluster", "profile"], name="cluster_add_on_profile_once"),
        ]

    def __str__(self) -> str:
        return str(self.version)


class ClusterLayer(models.Model):
    """One pack as this cluster has it; its values still name variables, whose values are secrets."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="layers")
    kind = models.CharField(max_length=16, choices=LayerKind)
    position = models.PositiveSmallIntegerField()
    pack = models.CharField(max_length=63)
    pack_version = models.CharField(max_length=32)
    values = models.TextField(blank=True)
    # Which add-on profile it came with; empty for those of the cluster's own profile.
    add_on = models.ForeignKey(
        ClusterAddOn, null=True, blank=True, on_delete=models.SET_NULL, related_name="layers"
    )
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "position"], name="cluster_layer_position_unique"),
            models.UniqueConstraint(fields=["cluster", "pack"], name="cluster_layer_pack_once"),
        ]

    def __str__(self) -> str:
        return f"{self.pack} {self.pack_version}"


class ClusterLoad(models.Model):
    """What pods ask for and nodes have, as a control plane node last reported it."""

    cluster = models.OneToOneField(Cluster, on_delete=models.CASCADE, related_name="load")
    reported_at = models.DateTimeField()
    # Both as clusters/load.py writes and reads them.
    nodes = models.JSONField(default=list, blank=True)
    # Pods that no node has room for.
    pending = models.JSONField(default=list, blank=True)

    def __str__(self) -> str:
        return f"load of {self.cluster_id}"


class LeftoverKind(models.TextChoices):
    MACHINE = "machine", "Virtual machine"
    DISK = "disk", "Disk"
    # Of workloads: detached from a machine before it was removed. It stays, and is nobody's fault.
    VOLUME = "volume", "Volume"
    FOLDER = "folder", "Folder"
    ADDRESS = "address", "IP address"


class Leftover(models.Model):
    """What a deletion left on vCenter, or an address kept back because of it."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="leftovers")
    kind = models.CharField(max_length=16, choices=LeftoverKind)
    name = models.CharField(max_length=255)
    moid = models.CharField(max_length=64, blank=True)
    path = models.CharField(max_length=500, blank=True)
    # Of a virtual machine: how it is found again whatever it is called by then.
    instance_uuid = models.UUIDField(null=True, blank=True)
    noted_at = models.DateTimeField(default=timezone.now)
    checked_at = models.DateTimeField(null=True, blank=True)
    # The first look that did not find it; a second one has to agree.
    missed_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["kind", "name"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "kind", "name"], name="leftover_told_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
