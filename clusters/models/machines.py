import uuid
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from clusters.models.clusters import Cluster
from clusters.states import MachineState
from ippools.models import IPPool
from ippools.reservations import Reservation, node_pool


class PoolRole(models.TextChoices):
    CONTROL_PLANE = "control-plane", "Master Pool"
    WORKER = "worker", "Worker Pool"


# Of the control plane: a majority of its members decides.
MASTER_SIZES = (1, 3, 5)


class RollingUpdate(models.TextChoices):
    EXPAND_FIRST = "expand-first", "Expand First"
    CONTRACT_FIRST = "contract-first", "Contract First"
    CUSTOM = "custom", "Custom"


def _nothing() -> dict[str, str]:
    return {}


def _no_taints() -> list[dict[str, Any]]:
    return []


class MachinePool(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="machine_pools")
    name = models.CharField(max_length=63)
    role = models.CharField(max_length=16, choices=PoolRole)
    size = models.PositiveSmallIntegerField()
    num_cpus = models.PositiveSmallIntegerField()
    memory_mib = models.PositiveIntegerField()
    disk_gib = models.PositiveIntegerField()
    # The preset that the three numbers came from; empty = custom.
    instance_type = models.CharField(max_length=32, blank=True)
    labels = models.JSONField(default=_nothing, blank=True)
    # Each: key, value, effect.
    taints = models.JSONField(default=_no_taints, blank=True)
    takes_workloads = models.BooleanField(default=True)
    autoscales = models.BooleanField(default=False)
    minimum_size = models.PositiveSmallIntegerField(null=True, blank=True)
    maximum_size = models.PositiveSmallIntegerField(null=True, blank=True)
    rolling_update = models.CharField(
        max_length=16, choices=RollingUpdate, default=RollingUpdate.EXPAND_FIRST
    )
    # How many machines more and fewer than the size there may be while machines are replaced.
    surge = models.PositiveSmallIntegerField(default=1)
    unavailable = models.PositiveSmallIntegerField(default=0)
    # The autoscaler's last decision, for its pauses.
    scaled_at = models.DateTimeField(null=True, blank=True)
    # Counts what the machines are made of: one of an older generation is replaced.
    generation = models.PositiveIntegerField(default=1)
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
                condition=Q(role=PoolRole.WORKER) | Q(size__in=list(MASTER_SIZES)),
                name="machine_pool_control_plane_1_3_5",
            ),
            models.CheckConstraint(
                condition=Q(autoscales=False, minimum_size=None, maximum_size=None)
                | Q(
                    autoscales=True,
                    role=PoolRole.WORKER,
                    minimum_size__gte=1,
                    maximum_size__gte=models.F("minimum_size"),
                ),
                name="machine_pool_autoscaler_with_limits",
            ),
            models.CheckConstraint(
                condition=~Q(surge=0, unavailable=0), name="machine_pool_rolling_update_moves"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_worker(self) -> bool:
        return self.role == PoolRole.WORKER

    @property
    def fixed_because(self) -> str:
        """Why nobody can give it another number of nodes; empty when somebody can."""
        if self.autoscales:
            return f"{self.name} scales itself: edit its minimum and maximum size."
        if not self.is_worker and self.size == MASTER_SIZES[-1]:
            return (
                f"The master pool has {self.size} nodes, the most there can be. It cannot become smaller: "
                "its nodes hold the cluster's data."
            )
        return ""

    @property
    def reservation(self) -> Reservation:
        """What it may ever need of its IP pool."""
        return node_pool(self.size, is_master=not self.is_worker, maximum=self.maximum_size, surge=self.surge)


class Placement(models.Model):
    """Where machines of a pool go: one compute cluster with its resource pool, datastore and network."""

    pool = models.ForeignKey(MachinePool, on_delete=models.CASCADE, related_name="placements")
    # Of a place that the pool has given up, until its last machine is gone.
    is_given_up = models.BooleanField(default=False)
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
    # Never given twice in a pool, so that no new machine gets the name of an old one.
    index = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=80)
    # The one that begins the cluster; all others join it.
    is_first = models.BooleanField(default=False)
    generation = models.PositiveIntegerField(default=1)
    kubernetes_version = models.CharField(max_length=32)
    image_template = models.CharField(max_length=80)
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
    # What vCenter says while the node should run: see clusters/actions/observations.py.
    power_state = models.CharField(max_length=16, blank=True)
    missing_since = models.DateTimeField(null=True, blank=True)
    # Since when something is wrong with it; see clusters/troubles.py.
    troubled_since = models.DateTimeField(null=True, blank=True)
    # What somebody changed there by hand, as a sentence.
    drift = models.TextField(blank=True)
    # Of a worker in a pool that scales itself: used less than half since then.
    idle_since = models.DateTimeField(null=True, blank=True)
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
    def is_powered_off(self) -> bool:
        """By somebody's hand: the portal expects it to run."""
        return self.state == MachineState.RUNNING and self.power_state not in ("", "poweredOn")

    @property
    def wake_reference(self) -> str:
        """What a waiting step names so that a report of this machine's node wakes it."""
        return f"machine:{self.id}"

    @property
    def ssh_command(self) -> str:
        """With one of the cluster's keys; empty while the address is not known."""
        return f"ssh spectro@{self.ip_address}" if self.ip_address else ""
