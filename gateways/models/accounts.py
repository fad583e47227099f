import uuid
from datetime import datetime

from django.db import models
from django.db.models import Exists, Q
from django.utils import timezone

from gateways.models.gateways import PrivateCloudGateway
from palette_portal.encryption import EncryptedTextField
from palette_portal.orchestration.steps import Subject
from palette_portal.tenants.models import Project, Tenant, User
from palette_portal.tenants.permissions import Permission, can
from palette_portal.vsphere.session import Credentials


class Availability(models.TextChoices):
    """Which projects may use an account of the tenant."""

    ALL = "all", "All projects"
    CHOSEN = "chosen", "Chosen projects"
    NONE = "none", "No project"


class LoginState(models.TextChoices):
    VERIFIED = "Verified"
    LOGIN_REFUSED = "Login refused"
    CERTIFICATE_REFUSED = "Certificate not trusted"
    UNCHECKED = "Unchecked"


class CloudAccountQuerySet(models.QuerySet["CloudAccount"]):
    def visible_to(self, user: User) -> "CloudAccountQuerySet":
        """All of the tenant for its readers; for others what their projects own or may use."""
        in_tenant = self.filter(tenant_id=user.own_tenant_id)
        if can(user, Permission.VIEW_CLOUD_ACCOUNTS):
            return in_tenant
        return in_tenant._for_projects(Project.objects.where(user, Permission.VIEW_CLOUD_ACCOUNTS))

    def usable_in(self, project: Project) -> "CloudAccountQuerySet":
        """The project's own accounts, and those of the tenant that it was given."""
        return self.filter(tenant_id=project.tenant_id)._for_projects(Project.objects.filter(pk=project.pk))

    def _for_projects(self, projects: models.QuerySet[Project]) -> "CloudAccountQuerySet":
        chosen = CloudAccount.projects.through.objects.filter(project__in=projects).values("cloudaccount")
        return self.filter(
            Q(project__in=projects)
            | Q(Exists(projects), project=None, availability=Availability.ALL)
            | Q(project=None, availability=Availability.CHOSEN, pk__in=chosen)
        )


class CloudAccount(models.Model):
    """Credentials for one vCenter, reached through one gateway."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="cloud_accounts")
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    gateway = models.ForeignKey(PrivateCloudGateway, on_delete=models.PROTECT, related_name="cloud_accounts")
    name = models.CharField(max_length=80)
    description = models.TextField(blank=True)
    availability = models.CharField(max_length=8, choices=Availability, default=Availability.ALL)
    projects = models.ManyToManyField(Project, blank=True, related_name="+")
    vcenter_server = models.CharField(max_length=255)
    username = models.CharField(max_length=255)
    password = EncryptedTextField()
    # Pinned by the admin when the system's CAs do not know the certificate; empty = the CAs decide.
    thumbprint_sha256 = models.CharField(max_length=95, blank=True)
    ca_pem = models.TextField(blank=True)
    vcenter_version = models.CharField(max_length=32, blank=True)
    is_default = models.BooleanField(default=False)
    # The last login that was tried, whatever came of it; the rest is given while vCenter refuses it.
    checked_at = models.DateTimeField(null=True, blank=True)
    refused_at = models.DateTimeField(null=True, blank=True)
    refused_logins = models.PositiveSmallIntegerField(default=0)
    refusal = models.TextField(blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    objects = CloudAccountQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway"], condition=Q(is_default=True), name="cloud_account_one_default_per_gateway"
            ),
            models.UniqueConstraint(
                fields=["tenant", "project", "name"],
                nulls_distinct=False,
                name="cloud_account_name_unique_in_scope",
            ),
            models.CheckConstraint(
                condition=Q(project=None) | Q(availability=Availability.ALL),
                name="cloud_account_availability_of_tenant",
            ),
            models.CheckConstraint(
                condition=Q(refused_at=None, refused_logins=0, refusal="")
                | (Q(refused_at__isnull=False, checked_at__isnull=False) & ~Q(refusal="")),
                name="cloud_account_refused_with_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def scope(self) -> str:
        return f"Project {self.project.name}" if self.project else "Tenant"

    @property
    def state(self) -> LoginState:
        if self.refused_at is not None:
            return LoginState.LOGIN_REFUSED if self.refused_logins else LoginState.CERTIFICATE_REFUSED
        return LoginState.VERIFIED if self.checked_at and self.password else LoginState.UNCHECKED

    @property
    def state_since(self) -> datetime:
        return self.refused_at or (self.checked_at if self.password else None) or self.created_at

    @property
    def subject(self) -> Subject:
        return Subject(
            kind="cloud-account",
            id=self.id,
            name=self.name,
            tenant_id=self.tenant_id,
            project_id=self.project_id,
        )

    def credentials(self) -> Credentials:
        return Credentials(
            server=self.vcenter_server,
            username=self.username,
            password=self.password,
            thumbprint_sha256=self.thumbprint_sha256,
            ca_pem=self.ca_pem,
        )
