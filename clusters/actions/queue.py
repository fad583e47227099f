"""Which clusters a gateway works on and which wait in line: never more at once than the gateway may.

Whoever starts or queues such an operation holds the gateway's queue until the end of the transaction.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery

from clusters.models import Cluster, ClusterPurpose
from gateways.models import PrivateCloudGateway
from palette_portal.orchestration.actions import (
    announce_subject,
    lock_reference,
    numbered_last,
    release_operation,
)
from palette_portal.orchestration.models import Operation, OperationKind, OperationState

# What makes machines. A removal never waits, and a gateway's own operations do not count.
LIMITED_KINDS = (
    OperationKind.PROVISION,
    OperationKind.SCALE,
    OperationKind.REPLACE,
    OperationKind.UPDATE,
)

# In order, each with its gateway. Built once: every list asks for it.
_QUEUED: "QuerySet[Any]" = (
    Operation.objects.filter(state=OperationState.QUEUED, subject_kind="cluster")
    .annotate(gateway_id=Subquery(Cluster.objects.filter(pk=OuterRef("subject_id")).values("gateway_id")))
    .order_by("created_at", "pk")
)


@dataclass(frozen=True)
class Place:
    """Where a cluster's operation stands in its gateway's queue, and why there is one."""

    number: int
    reason: str
    cluster_id: UUID
    cluster_name: str

    @property
    def ordinal(self) -> str:
        tens, ones = divmod(self.number % 100, 10)
        return f"{self.number}{'th' if tens == 1 else {1: 'st', 2: 'nd', 3: 'rd'}.get(ones, 'th')}"

    def __str__(self) -> str:
        return f"{self.ordinal} in the queue"


def why_queued(whose: Cluster | PrivateCloudGateway) -> str:
    """Why an operation that makes machines has to wait; empty if it may start in this transaction."""
    if isinstance(whose, Cluster) and whose.purpose == ClusterPurpose.GATEWAY:
        return ""
    gateway_id = whose.gateway_id if isinstance(whose, Cluster) else whose.pk
    hold_queue(gateway_id)
    gateway = _gateways().get(pk=gateway_id)
    is_full = _free_slots(gateway) <= 0 or _QUEUED.filter(gateway_id=gateway_id).exists()
    reason = _closed(gateway) or (_full(gateway) if is_full else "")
    if reason:
        announce_subject(gateway.subject)
    return reason


def hold_queue(gateway_id: UUID) -> None:
    """Until the transaction ends nobody else starts or queues an operation on the gateway."""
    lock_reference(f"gateway-queue:{gateway_id}")


def limit_of(gateway: PrivateCloudGateway) -> int:
    if gateway.is_system:
        return int(settings.GATEWAY_SYSTEM_CONCURRENT_PROVISIONING)
    limits: Mapping[int, int] = settings.GATEWAY_CONCURRENT_PROVISIONING
    return limits[gateway.size]


def release_waiting() -> None:
    """Called by a schedule, in case that an end was not heard of."""
    for gateway_id in set(_QUEUED.values_list("gateway_id", flat=True)):
        release_queue(gateway_id)


def release_after(operation: Operation) -> None:
    """Called when any operation has ended."""
    if operation.subject_kind == "cluster":
        cluster = Cluster.objects.filter(pk=operation.subject_id).only("gateway_id").first()
        if cluster and _QUEUED.filter(gateway_id=cluster.gateway_id).exists():
            release_queue(cluster.gateway_id)


@transaction.atomic
def release_queue(gateway_id: UUID) -> int:
    """Start what waits at the gateway, first come first served, as far as there is room; how many."""
    hold_queue(gateway_id)
    gateway = _gateways().get(pk=gateway_id)
    waiting: list[Operation] = list(_QUEUED.filter(gateway_id=gateway_id))
    free = 0 if _closed(gateway) else max(_free_slots(gateway), 0)
    with numbered_last():
        started = [operation for operation in waiting[:free] if release_operation(operation)]
        reason = _closed(gateway) or _full(gateway)
        outdated = [operation for operation in waiting[free:] if started or operation.reason != reason]
        _tell_new_place(gateway, outdated, reason)
        if started or outdated:
            announce_subject(gateway.subject)
    return len(started)


def place_in_queue(operation: Operation) -> int:
    """Counted from 1; 0 when it does not wait (any more)."""
    place = places_of([operation.subject_id]).get(operation.subject_id)
    return place.number if place else 0


def places_of(cluster_ids: Collection[UUID]) -> dict[UUID, Place]:
    """By cluster, of those that wait."""
    if not cluster_ids:
        return {}
    gateways = Cluster.objects.filter(pk__in=cluster_ids).values("gateway_id")
    lines = _lines(_QUEUED.filter(gateway_id__in=Subquery(gateways)))
    places = {place.cluster_id: place for line in lines.values() for place in line}
    return {cluster_id: places[cluster_id] for cluster_id in cluster_ids if cluster_id in places}


def lines_of(gateway_ids: Collection[UUID]) -> dict[UUID, list[Place]]:
    """Who waits at each gateway, in order."""
    return _lines(_QUEUED.filter(gateway_id__in=gateway_ids))


def _lines(queued: "QuerySet[Any]") -> dict[UUID, list[Place]]:
    """Whoever is filtered by gateway is numbered by it: a line is always whole."""
    lines: dict[UUID, list[Place]] = defaultdict(list)
    for row in queued.values("gateway_id", "reason", "subject_id", "subject_name"):
        line = lines[row["gateway_id"]]
        line.append(Place(len(line) + 1, row["reason"], row["subject_id"], row["subject_name"]))
    return lines


def _free_slots(gateway: PrivateCloudGateway) -> int:
    clusters = Cluster.objects.filter(gateway=gateway, purpose=ClusterPurpose.TENANT)
    running = Operation.objects.filter(
        state=OperationState.RUNNING,
        kind__in=LIMITED_KINDS,
        subject_kind="cluster",
        subject_id__in=clusters.values("pk"),
    )
    return limit_of(gateway) - running.count()


def _closed(gateway: PrivateCloudGateway) -> str:
    if gateway.upgrading_to is None:
        return ""
    return f"The gateway {gateway} is being upgraded to {gateway.upgrading_to}."


def _full(gateway: PrivateCloudGateway) -> str:
    limit = limit_of(gateway)
    return f"The gateway {gateway} works on {limit} cluster{'' if limit == 1 else 's'} at once."


def _tell_new_place(gateway: PrivateCloudGateway, waiting: list[Operation], reason: str) -> None:
    Operation.objects.filter(
        pk__in=[operation.pk for operation in waiting], state=OperationState.QUEUED
    ).update(reason=reason)
    for operation in waiting:
        announce_subject(operation.subject)


def _gateways() -> "QuerySet[PrivateCloudGateway]":
    return PrivateCloudGateway.objects.select_related("upgrading_to")
