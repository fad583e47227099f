"""What forced deletions left: looked for again and again, and its addresses are freed once it is gone.

A machine counts as gone when two looks, some seconds apart, find neither its UUIDs nor its marks.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from clusters.models import Cluster, Leftover, LeftoverKind, Machine
from clusters.states import ClusterState
from clusters.steps.removal import identity_of
from gateways.logins import check_login, note_refusal
from gateways.time_limit import within
from ippools.actions.claims import release
from ippools.models import IPAddressClaim
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import announce_subject, record_event
from palette_portal.orchestration.models import Severity
from palette_portal.tenants import audit
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, check
from palette_portal.vsphere.disks import disk_exists
from palette_portal.vsphere.errors import Unreachable, VSphereError
from palette_portal.vsphere.folders import folder_exists
from palette_portal.vsphere.machines import Identity, find_remains
from palette_portal.vsphere.session import Credentials, VCenter, connect
from palette_portal.vsphere.trust import Timeouts

logger = logging.getLogger(__name__)

LIMIT_SECONDS = 20.0
TIMEOUTS = Timeouts(connect_seconds=5, read_seconds=15)
# Between the two looks; a host or a datastore may be away for a moment.
GONE_AGAIN = timedelta(seconds=5)
# Later looks come the rarer the longer something stays.
SOONEST, LATEST = timedelta(seconds=30), timedelta(minutes=15)
NO_ACCOUNT = "The cloud account was deleted, so vCenter cannot be asked any more."


@dataclass(frozen=True)
class Question:
    """What vCenter is asked, without the database: the answer may come in another thread."""

    credentials: Credentials
    datacenter_moid: str
    rows: Sequence[Leftover]
    identities: Mapping[UUID, Identity]

    def missing(self) -> set[int]:
        """Keys of the rows that vCenter does not have. Raise VSphereError."""
        with connect(self.credentials, TIMEOUTS) as vcenter:
            return {row.pk for row in self.rows if not self._exists(vcenter, row)}

    def _exists(self, vcenter: VCenter, row: Leftover) -> bool:
        match row.kind:
            case LeftoverKind.MACHINE:
                identity = self.identities.get(row.instance_uuid) if row.instance_uuid else None
                return identity is not None and find_remains(vcenter, identity) is not None
            case LeftoverKind.DISK | LeftoverKind.VOLUME:
                return disk_exists(vcenter, self.datacenter_moid, row.name)
            case LeftoverKind.FOLDER:
                return bool(row.moid) and folder_exists(vcenter, row.moid)
            case _:  # an address is kept back until its machine is gone
                return True


def watch_leftovers() -> None:
    """Called by a schedule."""
    left = Leftover.objects.filter(gone_at=None).exclude(kind=LeftoverKind.VOLUME)
    clusters = Cluster.objects.filter(pk__in=left.values("cluster"), state=ClusterState.DELETED)
    for cluster in clusters.exclude(cloud_account=None).select_related("cloud_account"):
        if _is_due(_open(cluster)):
            try:
                _look(cluster)
            except VSphereError as error:
                logger.info("Leftovers of %s were not looked for: %s", cluster, error.sentence)


def check_leftovers(*, cluster: Cluster, by: User) -> None:
    """Look now. Raise Denied, Conflict, or VSphereError when vCenter does not tell."""
    check(by, Permission.DELETE_CLUSTERS, project=cluster.project)
    if cluster.cloud_account is None:
        raise Conflict(NO_ACCOUNT)
    with transaction.atomic():  # vCenter is not waited for in it
        _audit(cluster, by)
    _look(cluster)


def _look(cluster: Cluster) -> None:
    account = cluster.cloud_account
    assert account is not None
    rows = _open(cluster)
    question = Question(account.credentials(), cluster.datacenter_moid, rows, _identities(cluster, rows))
    try:
        check_login(account)
        missing = within(LIMIT_SECONDS, question.missing)
    except VSphereError as error:
        note_refusal(account, error)
        raise
    if missing is None:
        raise Unreachable(f"{account.vcenter_server} did not answer within {LIMIT_SECONDS:.0f} seconds.")
    _note(cluster, missing)


@transaction.atomic
def _note(cluster: Cluster, missing: set[int]) -> None:
    rows = list(cluster.leftovers.select_for_update().filter(gone_at=None))
    now = timezone.now()
    for row in rows:
        row.checked_at = now
        row.missed_at = (row.missed_at or now) if row.pk in missing else None
        if row.missed_at and _is_proven(row, now):
            row.gone_at = now
    _free_addresses(cluster, rows, now)
    Leftover.objects.bulk_update(rows, ["checked_at", "missed_at", "gone_at"])
    _tell(cluster, [row for row in rows if row.gone_at])
    announce_subject(cluster.subject)


def _is_proven(row: Leftover, now: datetime) -> bool:
    if row.kind != LeftoverKind.MACHINE:
        return True
    return row.missed_at is not None and now - row.missed_at >= GONE_AGAIN


def _free_addresses(cluster: Cluster, rows: Sequence[Leftover], now: datetime) -> None:
    """Those of machines that are gone; the virtual IP with the last of them."""
    machines = [row for row in rows if row.kind == LeftoverKind.MACHINE]
    owners = [row.instance_uuid for row in machines if row.gone_at]
    if all(row.gone_at for row in machines):
        owners.append(cluster.pk)
    held = IPAddressClaim.objects.held().filter(cluster_id=cluster.pk)
    release(held.filter(owner_id__in=[owner for owner in owners if owner]))
    still = set(held.values_list("address", flat=True))
    for row in rows:
        if row.kind == LeftoverKind.ADDRESS and row.name not in still:
            row.gone_at = now


def _tell(cluster: Cluster, gone: Sequence[Leftover]) -> None:
    if not gone:
        return
    names = ", ".join(row.name for row in gone if row.kind != LeftoverKind.ADDRESS)
    addresses = ", ".join(row.name for row in gone if row.kind == LeftoverKind.ADDRESS)
    told = [f"Gone from vCenter: {names}." if names else "", f"Free again: {addresses}." if addresses else ""]
    left = cluster.leftovers.filter(gone_at=None).exclude(kind=LeftoverKind.VOLUME).exists()
    record_event(
        subject=cluster.subject,
        severity=Severity.INFO,
        reason="LeftoversFewer" if left else "LeftoversGone",
        message=" ".join(filter(None, [*told, "" if left else "Nothing of the cluster remains."])),
    )


def _open(cluster: Cluster) -> list[Leftover]:
    return list(cluster.leftovers.filter(gone_at=None))


def _identities(cluster: Cluster, rows: Sequence[Leftover]) -> dict[UUID, Identity]:
    machines = Machine.objects.filter(pk__in=[row.instance_uuid for row in rows if row.instance_uuid])
    found = machines.select_related("pool", "placement", "cluster")
    return {machine.pk: identity_of(machine) for machine in found}


def _is_due(rows: Sequence[Leftover]) -> bool:
    """Soon after the deletion often, later seldom; at once where one look is still to be confirmed."""
    now = timezone.now()
    if not rows or any(row.missed_at or row.checked_at is None for row in rows):
        return bool(rows)
    pause = min(max((now - min(row.noted_at for row in rows)) / 10, SOONEST), LATEST)
    return now - max(row.checked_at for row in rows if row.checked_at) >= pause


def _audit(cluster: Cluster, by: User) -> None:
    audit.record(
        by=by,
        action="check-leftovers",
        obj_kind="cluster",
        obj_id=cluster.pk,
        obj_name=cluster.name,
        tenant=cluster.tenant,
        project=cluster.project,
    )
