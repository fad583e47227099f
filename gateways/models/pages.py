import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from gateways.models.accounts import CloudAccount
from gateways.models.gateways import PrivateCloudGateway
from palette_portal.encryption import EncryptedTextField
from palette_portal.orchestration.steps import Subject
from palette_portal.tenants.models import Project, Tenant, User


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
# How long a report is relied on: what it says of a vCenter was true then.
FRESH_FOR = timedelta(minutes=15)


class PrerequisiteReportQuerySet(models.QuerySet["PrerequisiteReport"]):
    def visible_to(self, user: User) -> "PrerequisiteReportQuerySet":
        """Those of accounts and gateways that the person sees, and of the deployments of own projects."""
        accounts = CloudAccount.objects.visible_to(user)
        gateways = PrivateCloudGateway.objects.visible_to(user)
        of_infrastructure = Q(cloud_account__in=accounts) | Q(gateway__in=gateways)
        of_projects = Q(project__in=Project.objects.visible_to(user))
        return self.filter(Q(project=None) & of_infrastructure | of_projects)

    def in_use(self) -> "PrerequisiteReportQuerySet":
        """Those that somebody waits for, or may deploy on."""
        since = timezone.now() - FRESH_FOR
        return self.filter(Q(finished_at__gt=since) | Q(finished_at=None, created_at__gt=since))

    def shared(self) -> "PrerequisiteReportQuerySet":
        return self.exclude(share_key="").filter(shared_at__gt=timezone.now() - SHARED_FOR)


class PrerequisiteReport(models.Model):
    """One check of a vCenter: of an account, perhaps for a deployment, or of a gateway's configuration."""

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
    # Of a deployment with an account: where to. The people of the project see it.
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
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
                condition=Q(project=None) & (Q(deployment="") | Q(cloud_account=None))
                | Q(project__isnull=False, cloud_account__isnull=False) & ~Q(deployment=""),
                name="report_of_deployment_with_project",
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
    def is_fresh(self) -> bool:
        return self.finished_at is not None and self.finished_at > timezone.now() - FRESH_FOR

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
            project_id=self.project_id or (self.cloud_account.project_id if self.cloud_account else None),
        )
