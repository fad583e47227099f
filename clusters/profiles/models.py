import uuid
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from palette_portal.tenants.models import Project, Tenant, User
from palette_portal.tenants.permissions import Permission, can


class ProfileType(models.TextChoices):
    FULL = "full", "Full"
    INFRASTRUCTURE = "infra", "Infrastructure"
    ADD_ON = "add-on", "Add-on"


class LayerKind(models.TextChoices):
    """In the order in which a cluster is built."""

    OS = "os", "OS"
    KUBERNETES = "kubernetes", "Kubernetes"
    NETWORK = "cni", "Network"
    STORAGE = "csi", "Storage"
    ADD_ON = "add-on", "Add-on"


class ClusterProfileQuerySet(models.QuerySet["ClusterProfile"]):
    def visible_to(self, user: User) -> "ClusterProfileQuerySet":
        """Those of the user's projects, and those of the tenant, which every project may use."""
        in_tenant = self.filter(tenant_id=user.own_tenant_id)
        if can(user, Permission.VIEW_CLUSTER_PROFILES):
            return in_tenant
        projects = Project.objects.where(user, Permission.VIEW_CLUSTER_PROFILES)
        return in_tenant.filter(Q(project__in=projects) | Q(models.Exists(projects), project=None))

    def usable_in(self, project: Project) -> "ClusterProfileQuerySet":
        return self.filter(tenant_id=project.tenant_id).filter(Q(project=None) | Q(project=project))


class ClusterProfile(models.Model):
    """What clusters are made of, in versions; its project is empty when it belongs to the tenant."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="cluster_profiles")
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=63)
    description = models.TextField(blank=True)
    type = models.CharField(max_length=8, choices=ProfileType, default=ProfileType.FULL)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = ClusterProfileQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "project", "name"],
                nulls_distinct=False,
                name="profile_name_unique_in_scope",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def scope(self) -> str:
        return f"Project {self.project.name}" if self.project else "Tenant"


def _no_variables() -> list[dict[str, Any]]:
    return []


class ProfileVersion(models.Model):
    """One state of a profile. A draft is edited; a published one never changes again."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    profile = models.ForeignKey(ClusterProfile, on_delete=models.CASCADE, related_name="versions")
    version = models.CharField(max_length=32)
    # The version's three numbers as one, so that the database can order them.
    rank = models.BigIntegerField()
    published_at = models.DateTimeField(null=True, blank=True)
    # Each: name, display_name, type, required, default, regex, masked, description.
    variables = models.JSONField(default=_no_variables, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-rank"]
        constraints = [models.UniqueConstraint(fields=["profile", "version"], name="profile_version_unique")]

    def __str__(self) -> str:
        return f"{self.profile.name} {self.version}"

    @property
    def is_published(self) -> bool:
        return self.published_at is not None


class ProfileLayer(models.Model):
    """One pack of a profile version, with the values that replace the pack's own."""

    version = models.ForeignKey(ProfileVersion, on_delete=models.CASCADE, related_name="layers")
    kind = models.CharField(max_length=16, choices=LayerKind)
    position = models.PositiveSmallIntegerField()
    pack = models.CharField(max_length=63)
    pack_version = models.CharField(max_length=32)
    # YAML as it was typed, with its comments.
    values = models.TextField(blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="profile_layer_position_unique"),
            models.UniqueConstraint(fields=["version", "pack"], name="profile_layer_pack_once"),
            models.UniqueConstraint(
                fields=["version", "kind"],
                condition=~Q(kind=LayerKind.ADD_ON),
                name="profile_layer_one_per_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pack} {self.pack_version}"
