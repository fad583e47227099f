"""Finds what went astray: claims whose owner is gone, and addresses in use on vCenter that no pool knows.

It only finds. A person confirms what is released or excluded.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from clusters.models import Cluster, Machine
from gateways.logins import check_login, note_refusal
from gateways.models import CloudAccount
from gateways.time_limit import within
from ippools.actions.claims import release
from ippools.models import IPAddressClaim, IPAddressClaimQuerySet, IPPool, WaitingCluster
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import announce_subject
from palette_portal.tenants import audit
from palette_portal.tenants.models import User
from palette_portal.vsphere.errors import Unreachable, VSphereError
from palette_portal.vsphere.guests import Guest, read_guests
from palette_portal.vsphere.session import Credentials, sessions

# A person waits for the answer.
LIMIT_SECONDS = 30.0


@dataclass(frozen=True)
class Stray:
    """An address of the pool that a virtual machine uses although it was not given to it."""

    address: str
    vm_name: str
    held_by: str


def orphaned_claims(pool: IPPool) -> IPAddressClaimQuerySet:
    """Held for a machine or a cluster that does not exist any more."""
    held = pool.claims.held()
    machines = Machine.objects.present().filter(cluster__deleted_at=None)
    clusters = Cluster.objects.present()
    living = held.filter(owner_kind="machine", owner_id__in=machines.values("pk")) | held.filter(
        cluster_id__in=clusters.values("pk")
    ).exclude(owner_kind="machine")
    return held.exclude(pk__in=living.values("pk"))


def vcenter_account(pool: IPPool) -> CloudAccount | None:
    return pool.gateway.cloud_accounts.filter(is_default=True).first()


def find_strays(pool: IPPool, account: CloudAccount) -> list[Stray]:
    """Raise VSphereError, or Conflict when too many ask vCenter at once."""
    try:
        check_login(account)
        guests = within(LIMIT_SECONDS, lambda: _guests(account.credentials()))
    except VSphereError as error:
        note_refusal(account, error)
        raise
    if guests is None:
        raise Unreachable(f"{account.vcenter_server} did not answer within {LIMIT_SECONDS:.0f} seconds.")
    return strays_among(guests, pool)


def _guests(credentials: Credentials) -> list[Guest]:
    return read_guests(sessions.get(credentials, ask_again=True))


def strays_among(guests: Iterable[Guest], pool: IPPool) -> list[Stray]:
    addresses = pool.addresses
    seen = [(address, guest) for guest in guests for address in guest.addresses if address in addresses]
    held = {claim.address: claim for claim in pool.claims.held()}
    ours = _clusters_of_machines(guest.instance_uuid for _, guest in seen)
    strays = [
        Stray(address, guest.name, claim.owner_name if claim else "")
        for address, guest in seen
        if (claim := held.get(address)) is None or ours.get(guest.instance_uuid) != claim.cluster_id
    ]
    return sorted(strays, key=lambda stray: int(ipaddress.ip_address(stray.address)))


def _clusters_of_machines(instance_uuids: Iterable[str]) -> dict[str, UUID]:
    """A cluster's virtual IP is on one of its machines, so machines stand for their cluster."""
    machines = Machine.objects.present().filter(pk__in={uuid for uuid in instance_uuids if uuid})
    return {str(pk): cluster_id for pk, cluster_id in machines.values_list("pk", "cluster_id")}


@transaction.atomic
def release_orphans(*, pool: IPPool, claim_ids: Iterable[int], by: User | None) -> int:
    """Release the named claims. Raise Conflict when one of them has an owner after all."""
    wanted = set(claim_ids)
    orphans = list(orphaned_claims(pool).filter(pk__in=wanted))
    if len(orphans) < len(wanted):
        raise Conflict("Some of these addresses are released or have an owner again. Look at the list again.")
    released = release(IPAddressClaim.objects.held().filter(pk__in=wanted))
    gone = {claim.cluster_id for claim in orphans} - set(
        Cluster.objects.present().values_list("pk", flat=True)
    )
    WaitingCluster.objects.filter(cluster_id__in=gone).delete()
    audit.record(
        by=by,
        action="release-addresses",
        obj_kind="ip-pool",
        obj_id=pool.pk,
        obj_name=pool.name,
        tenant=pool.tenant,
        addresses=[f"{claim.address} of {claim.owner_name}" for claim in orphans],
    )
    announce_subject(pool.subject)
    return released
