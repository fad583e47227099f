import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, Q
from django.utils import timezone

from gateways.states import GatewayState
from palette_portal.encryption import EncryptedTextField
from palette_portal.orchestration.steps import Subject
from palette_portal.tenants.models import Project, Tenant, User
from palette_portal.tenants.permissions import Permission, can
from palette_portal.vsphere.session import Credentials


class GatewayRelease(models.Model):
    """What a gateway is made of: published by a command or a migration, never edited."""

    version = models.CharField(max_length=32, unique=True)
    kubernetes_version = models.CharField(max_length=32)
    image_template = models.CharField(max_length=80)
    os_image = models.CharField(max_length=80, default="Ubuntu 22.04")
    notes = models.TextField(blank=True)
    published_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-published_at"]

    def __str__(self) -> str:
        return self.version


class GatewayQuerySet(models.QuerySet["PrivateCloudGateway"]):
    def visible_to(self, user: User) -> "GatewayQuerySet":
        if not can(user, Permission.VIEW_GATEWAYS):
            return self.none()
        return self.filter(tenant_id=user.own_tenant_id)

    def present(self) -> "GatewayQuerySet":
        return self.exclude(state=GatewayState.DELETED)

    def system_last(self) -> "GatewayQuerySet":
        """In the order of pages: the tenant's own before the portal's."""
        return self.order_by("is_system", "created_at")


class PrivateCloudGateway(models.Model):
    """The tenant's foothold in one vCenter: first an installer VM, then a small Kubernetes cluster."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="gateways")
    # Empty until the installer registers with the name typed into its OVF properties.
    name = models.CharField(max_length=63, blank=True)
    state = models.CharField(max_length=16, choices=GatewayState, default=GatewayState.PENDING)
    error = models.TextField(blank=True)
    size = models.PositiveSmallIntegerField(default=1)
    release = models.ForeignKey(GatewayRelease, null=True, blank=True, on_delete=models.PROTECT)
    # Given while nodes are replaced, upwards or back; the release changes when all are.
    upgrading_to = models.ForeignKey(
        GatewayRelease, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    # The portal's own: its workers reach the vCenter servers directly, so it has no machines.
    is_system = models.BooleanField(default=False)
    vcenter_server = models.CharField(max_length=255, blank=True)

    registered_at = models.DateTimeField(null=True, blank=True)
    installer_ip = models.GenericIPAddressField(null=True, blank=True)
    installer_version = models.CharField(max_length=32, blank=True)
    installer_instance_uuid = models.UUIDField(null=True, blank=True)
    installer_token_hash = models.CharField(max_length=64, blank=True)
    last_heartbeat_at = models.DateTimeField(null=True, blank=True)

    pod_cidr = models.CharField(max_length=43, blank=True)
    service_cidr = models.CharField(max_length=43, blank=True)
    # Proxy addresses may carry a user name and password.
    http_proxy = EncryptedTextField(blank=True)
    https_proxy = EncryptedTextField(blank=True)
    no_proxy = models.TextField(blank=True)
    proxy_certificate = models.TextField(blank=True)

    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    running_at = models.DateTimeField(null=True, blank=True)

    objects = GatewayQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"],
                condition=~Q(name="") & ~Q(state=GatewayState.DELETED),
                name="gateway_name_unique_in_tenant",
            ),
            models.CheckConstraint(condition=Q(size__in=[1, 3]), name="gateway_size_1_or_3"),
            models.UniqueConstraint(
                fields=["tenant"],
                condition=Q(is_system=True) & ~Q(state=GatewayState.DELETED),
                name="gateway_one_system_per_tenant",
            ),
            models.CheckConstraint(
                condition=Q(is_system=False) | Q(state=GatewayState.RUNNING, registered_at=None),
                name="gateway_system_always_running",
            ),
            models.CheckConstraint(
                condition=Q(registered_at=None, installer_token_hash="")
                | (Q(registered_at__isnull=False) & ~Q(installer_token_hash="")),
                name="gateway_registered_with_token",
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        return self.name or "New gateway"

    @property
    def subject(self) -> Subject:
        return Subject(
            kind="gateway", id=self.id, name=self.display_name, tenant_id=self.tenant_id, project_id=None
        )

    @property
    def is_registered(self) -> bool:
        return self.registered_at is not None


class PairingCodeQuerySet(models.QuerySet["PairingCode"]):
    def usable(self) -> "PairingCodeQuerySet":
        return self.filter(used_at=None, revoked_at=None, expires_at__gt=timezone.now())


class PairingCode(models.Model):
    """Lets one installer register once. Only a keyed hash of the code is kept."""

    gateway = models.ForeignKey(PrivateCloudGateway, on_delete=models.CASCADE, related_name="pairing_codes")
    code_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = PairingCodeQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway"],
                condition=Q(used_at=None, revoked_at=None),
                name="pairing_code_one_open_per_gateway",
            ),
            models.CheckConstraint(
                condition=Q(used_at=None) | Q(revoked_at=None), name="pairing_code_used_or_revoked"
            ),
        ]

    def __str__(self) -> str:
        return f"pairing code of {self.gateway_id}"

    @property
    def overdue_at(self) -> datetime:
        """An installer that has not come by then needs the troubleshooting hints."""
        return self.created_at + timedelta(minutes=settings.GATEWAY_REGISTRATION_WARNING_MINUTES)

    @property
    def is_overdue(self) -> bool:
        return self.used_at is None and timezone.now() > self.overdue_at


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


def _empty() -> dict[str, Any]:
    return {}


class ConfigureDraft(models.Model):
    """What the Configure wizard knows so far; the password has an encrypted column of its own."""

    gateway = models.OneToOneField(PrivateCloudGateway, on_delete=models.CASCADE, related_name="draft")
    # One key per wizard page: {"values": plain JSON, "open": why it is not complete, or empty}.
    pages = models.JSONField(default=_empty)
    password = EncryptedTextField(blank=True)
    # Facts the vCenter page verified: version, thumbprint, certificate, skew_seconds.
    vcenter = models.JSONField(default=_empty)
    updated_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"draft of {self.gateway_id}"


# How long a link to a report works.
SHARED_FOR = timedelta(days=7)


class PrerequisiteReportQuerySet(models.QuerySet["PrerequisiteReport"]):
    def visible_to(self, user: User) -> "PrerequisiteReportQuerySet":
        """Those of accounts and gateways that the person sees. Deployments of others: in the whole tenant."""
        accounts = CloudAccount.objects.visible_to(user)
        gateways = PrivateCloudGateway.objects.visible_to(user)
        seen = self.filter(Q(cloud_account__in=accounts) | Q(gateway__in=gateways))
        sees_all = can(user, Permission.VIEW_CLOUD_ACCOUNTS)
        return seen if sees_all else seen.filter(Q(deployment="") | Q(requested_by=user))

    def shared(self) -> "PrerequisiteReportQuerySet":
        return self.exclude(share_key="").filter(shared_at__gt=timezone.now() - SHARED_FOR)


class PrerequisiteReport(models.Model):
    """One check of a vCenter: of an account, or of what a gateway is being configured with."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    cloud_account = models.ForeignKey(
        CloudAccount, null=True, blank=True, on_delete=models.CASCADE, related_name="prerequisite_reports"
    )
    gateway = models.ForeignKey(
        PrivateCloudGateway,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="prerequisite_reports",
    )
    # Given when it is about a deployment: what it is called, and a digest of what was asked for.
    deployment = models.CharField(max_length=100, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    scope = models.JSONField(default=_empty)
    # While it runs the index of the stage and the lines so far, then all of them.
    stage = models.PositiveSmallIntegerField(default=0)
    content = models.JSONField(default=_empty)
    level = models.CharField(max_length=8, blank=True)
    requested_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    # Whoever has the link that was made with this key reads the report without signing in.
    share_key = models.CharField(max_length=43, blank=True)
    shared_at = models.DateTimeField(null=True, blank=True)

    objects = PrerequisiteReportQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["cloud_account", "-created_at"], name="report_by_account"),
            models.Index(fields=["gateway", "-created_at"], name="report_by_gateway"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(cloud_account=None) ^ Q(gateway=None), name="report_of_account_or_gateway"
            ),
            models.CheckConstraint(
                condition=Q(finished_at=None, level="") | (Q(finished_at__isnull=False) & ~Q(level="")),
                name="report_finished_with_level",
            ),
            models.CheckConstraint(
                condition=Q(share_key="", shared_at=None) | (Q(shared_at__isnull=False) & ~Q(share_key="")),
                name="report_shared_with_key",
            ),
        ]

    def __str__(self) -> str:
        return f"prerequisites of {self.about}"

    @property
    def about(self) -> str:
        if self.deployment:
            return self.deployment
        return self.cloud_account.name if self.cloud_account else str(self.gateway)

    @property
    def is_running(self) -> bool:
        return self.finished_at is None

    @property
    def shared_until(self) -> datetime | None:
        return self.shared_at + SHARED_FOR if self.shared_at else None

    @property
    def is_shared(self) -> bool:
        return self.shared_until is not None and self.shared_until > timezone.now()

    @property
    def subject(self) -> Subject:
        return Subject(
            kind="prerequisite-report",
            id=self.id,
            name=f"prerequisites of {self.about}"[:200],
            tenant_id=self.tenant_id,
            project_id=self.cloud_account.project_id if self.cloud_account else None,
        )
