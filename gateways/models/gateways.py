import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from gateways.states import GatewayState
from palette_portal.encryption import EncryptedTextField
from palette_portal.orchestration.steps import Subject
from palette_portal.tenants.models import Tenant, User
from palette_portal.tenants.permissions import Permission, can


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
