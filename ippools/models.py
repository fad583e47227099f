import ipaddress
import uuid
from datetime import timedelta
from functools import lru_cache

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from gateways.models import PrivateCloudGateway
from ippools.ranges import AddressRange, pool_range
from palette_portal.orchestration.steps import Subject
from palette_portal.tenants.models import Tenant, User
from palette_portal.tenants.permissions import Permission, can_somewhere


class NetworkType(models.TextChoices):
    RANGE = "range", "Range"
    SUBNET = "subnet", "Subnet"


@lru_cache(maxsize=512)
def _addresses(
    start: str | None, end: str | None, subnet: str, prefix: int, reserved: tuple[str, ...]
) -> AddressRange:
    return pool_range(start=start, end=end, subnet=subnet, prefix=prefix, reserved=reserved)


class IPPoolQuerySet(models.QuerySet["IPPool"]):
    def visible_to(self, user: User) -> "IPPoolQuerySet":
        if not can_somewhere(user, Permission.VIEW_IP_POOLS):
            return self.none()
        return self.filter(tenant_id=user.own_tenant_id)


class IPPool(models.Model):
    """Addresses that machines of one gateway may have: a range or a subnet."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    gateway = models.ForeignKey(PrivateCloudGateway, on_delete=models.PROTECT, related_name="ip_pools")
    name = models.CharField(max_length=63)
    network_type = models.CharField(max_length=8, choices=NetworkType)
    start = models.GenericIPAddressField(null=True, blank=True)
    end = models.GenericIPAddressField(null=True, blank=True)
    subnet = models.CharField(max_length=49, blank=True)
    prefix = models.PositiveSmallIntegerField(validators=[MinValueValidator(0), MaxValueValidator(128)])
    gateway_address = models.GenericIPAddressField()
    name_servers = ArrayField(models.GenericIPAddressField(), default=list)
    search_suffixes = ArrayField(models.CharField(max_length=253), default=list, blank=True)
    excluded = ArrayField(models.GenericIPAddressField(), default=list, blank=True)
    restrict_to_single_cluster = models.BooleanField(default=False)
    # The first cluster that claimed from a restricted pool; cleared when its last claim is released.
    reserved_for = models.UUIDField(null=True, blank=True)
    # Counts edits: who claims with an older idea of the pool's addresses has to look again.
    edition = models.PositiveIntegerField(default=1)
    # Every address below it is held, returned or never handed out; None = look from the first one.
    unused_from = models.GenericIPAddressField(null=True, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = IPPoolQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["gateway", "name"], name="ip_pool_name_unique_in_gateway"),
            models.CheckConstraint(
                condition=Q(network_type=NetworkType.RANGE, start__isnull=False, end__isnull=False, subnet="")
                | (Q(network_type=NetworkType.SUBNET, start=None, end=None) & ~Q(subnet="")),
                name="ip_pool_range_or_subnet",
            ),
            models.CheckConstraint(
                condition=Q(reserved_for=None) | Q(restrict_to_single_cluster=True),
                name="ip_pool_reserved_only_if_restricted",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> Subject:
        return Subject(kind="ip-pool", id=self.id, name=self.name, tenant_id=self.tenant_id)

    @property
    def addresses(self) -> AddressRange:
        """The addresses that may be handed out: without network, broadcast, gateway and excluded ones."""
        reserved = (self.gateway_address, *self.excluded)
        return _addresses(self.start, self.end, self.subnet, self.prefix, reserved)

    @property
    def wake_reference(self) -> str:
        """What a step names that waits for an address: rung when some come back or the pool grows."""
        return f"ip-pool:{self.id}"

    @property
    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        return ipaddress.ip_network(f"{self.gateway_address}/{self.prefix}", strict=False)


class IPAddressClaimQuerySet(models.QuerySet["IPAddressClaim"]):
    def held(self) -> "IPAddressClaimQuerySet":
        return self.filter(released_at=None)


class IPAddressClaim(models.Model):
    """One address held by one owner for one purpose ("node" of a machine, "vip" of a cluster)."""

    pool = models.ForeignKey(IPPool, on_delete=models.PROTECT, related_name="claims")
    address = models.GenericIPAddressField()
    cluster_id = models.UUIDField()
    owner_kind = models.CharField(max_length=16)
    owner_id = models.UUIDField()
    owner_name = models.CharField(max_length=80)
    purpose = models.CharField(max_length=16)
    claimed_at = models.DateTimeField(default=timezone.now)
    released_at = models.DateTimeField(null=True, blank=True)

    objects = IPAddressClaimQuerySet.as_manager()

    class Meta:
        ordering = ["address"]
        constraints = [
            models.UniqueConstraint(
                fields=["pool", "address"], condition=Q(released_at=None), name="claim_address_held_once"
            ),
            models.UniqueConstraint(
                fields=["owner_id", "purpose"], condition=Q(released_at=None), name="claim_one_per_purpose"
            ),
        ]
        indexes = [
            models.Index(fields=["cluster_id"], condition=Q(released_at=None), name="claim_held_by_cluster")
        ]

    def __str__(self) -> str:
        return self.address


class ReturnedAddressQuerySet(models.QuerySet["ReturnedAddress"]):
    def resting(self) -> "ReturnedAddressQuerySet":
        return self.filter(free_at__gt=timezone.now())


class ReturnedAddress(models.Model):
    """An address that was handed out and came back; it can be claimed again when it has rested."""

    pool = models.ForeignKey(IPPool, on_delete=models.CASCADE, related_name="returned")
    address = models.GenericIPAddressField()
    free_at = models.DateTimeField()

    objects = ReturnedAddressQuerySet.as_manager()

    class Meta:
        ordering = ["address"]
        constraints = [
            models.UniqueConstraint(fields=["pool", "address"], name="returned_address_once_in_pool")
        ]

    def __str__(self) -> str:
        return self.address


# A cluster that has not asked again for so long does not hold up the others.
FORGOTTEN_AFTER = timedelta(minutes=10)


class WaitingClusterQuerySet(models.QuerySet["WaitingCluster"]):
    def in_line(self, pool: IPPool) -> "WaitingClusterQuerySet":
        return self.filter(pool=pool, asked_at__gt=timezone.now() - FORGOTTEN_AFTER)


class WaitingCluster(models.Model):
    """A place in the line of an exhausted pool, in the order of ids."""

    pool = models.ForeignKey(IPPool, on_delete=models.CASCADE, related_name="waiting")
    cluster_id = models.UUIDField()
    count = models.PositiveIntegerField()
    since = models.DateTimeField(default=timezone.now)
    asked_at = models.DateTimeField()

    objects = WaitingClusterQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["pool", "cluster_id"], name="waiting_once_in_pool")]

    def __str__(self) -> str:
        return f"{self.cluster_id} waits for {self.count}"
