"""Before the first clone: account, placement, addresses, image and certificates."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db import transaction

from clusters.documents import NODE_ADDRESS, VIRTUAL_ADDRESS, clone_spec
from clusters.models import Cluster, ClusterSecrets, Machine, Placement, PoolRole
from clusters.names import label
from clusters.steps.work import Work, step, update_machine
from ippools.actions import PoolExhausted, PoolUnavailable, WantedAddress, claim_addresses
from ippools.models import IPAddressClaim
from palette_portal.bootstrap.pki import (
    admin_kubeconfig,
    dump_pki,
    generate_bootstrap_token,
    generate_cluster_pki,
    kubeconfig_expiry,
)
from palette_portal.orchestration.models import Severity
from palette_portal.orchestration.outcomes import Done, Failed, Note, Outcome, Retry, Wait
from palette_portal.vsphere.capacity import read_capacity
from palette_portal.vsphere.errors import DatastoreFull, NotEnoughResources, NotFound
from palette_portal.vsphere.inventory import Inventory, read_inventory
from palette_portal.vsphere.machines import find_machine
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.version import clock_skew, judge_version

GIB = 1024**3
# Clones are thin: one node may fill its disk at once, the others grow later. The documented minimum of
# 60 GB for one node and 70 GB for three.
THIN_CLONE_GIB = 5
TOLERATED_SKEW = timedelta(minutes=5)


@step
def ensure_account_valid(work: Work) -> Outcome:
    account = work.account
    verdict = judge_version(work.vcenter.about)
    skew = clock_skew(work.vcenter)
    accepted = f"{account.vcenter_server} accepts {account.username}."
    notes = [_told("AccountValid", accepted)]
    if verdict.level == "warning":
        notes.append(Note(Severity.WARNING, "VCenterVersion", verdict.sentence))
    if abs(skew) > TOLERATED_SKEW:
        notes.append(Note(Severity.WARNING, "ClockSkew", _skew_sentence(account.vcenter_server, skew)))
    return Done(accepted, tuple(notes))


def _skew_sentence(server: str, skew: timedelta) -> str:
    minutes = round(abs(skew).total_seconds() / 60)
    direction = "ahead of" if skew > timedelta(0) else "behind"
    return (
        f"The clock of {server} is {minutes} minutes {direction} the portal's. Nodes whose clock is wrong "
        "refuse certificates: give the cluster NTP servers, or set the clocks."
    )


@step
def ensure_placement_valid(work: Work) -> Outcome:
    machines = list(_machines(work))
    inventory = read_inventory(work.vcenter)
    _check_present(work.cluster, {machine.placement for machine in machines}, inventory)
    _check_datastores(machines, inventory)
    warnings = _check_compute(machines, work.vcenter)
    for machine in machines:
        find_machine(work.vcenter, clone_spec(machine))
    count = "1 machine" if len(machines) == 1 else f"{len(machines)} machines"
    valid = f"There is room for {count}, and no other has the name."
    return Done(valid, (*warnings, _told("PlacementValid", valid)))


@step
def ensure_addresses_claimed(work: Work) -> Outcome:
    """Claims are facts of their own: a second run finds them and claims nothing. All are made, or none."""
    cluster = work.cluster
    machines = list(_machines(work))
    claims = _claim(work, [*map(_wanted_by_machine, machines), _wanted_by_endpoint(cluster)])
    if isinstance(claims, PoolExhausted):
        return _wait_in_line(work, claims)
    if isinstance(claims, PoolUnavailable):
        hint = "Reset, and choose another pool."
        return Failed(type(claims).__name__, claims.reason, hint, Retry.SLOWLY)
    endpoint = claims[-1].address
    node_addresses = {machine.id: claim.address for machine, claim in zip(machines, claims[:-1], strict=True)}

    def write() -> None:
        Cluster.objects.filter(pk=cluster.pk).update(endpoint_host=endpoint)
        for machine_id, address in node_addresses.items():
            update_machine(machine_id, ip_address=address)

    listed = ", ".join(node_addresses.values())
    note = _told("AddressesClaimed", f"Nodes get {listed}; the virtual IP is {endpoint}.")
    return Done(f"Virtual IP {endpoint}", (note,), write)


def _claim(work: Work, wanted: list[WantedAddress]) -> list[IPAddressClaim] | PoolUnavailable:
    """Claim only while the step is ours: the fence and the claims are committed together.

    A refusal is returned, not raised, because the place in the pool's line has to be committed too.
    """
    with transaction.atomic():
        work.context.still_mine()
        try:
            return claim_addresses(wanted, cluster_id=work.cluster.id)
        except PoolUnavailable as refused:
            return refused


@step
def ensure_pki_generated(work: Work) -> Outcome:
    cluster = work.cluster
    if ClusterSecrets.objects.filter(cluster=cluster).exclude(pki="").exists():
        return Done("Certificates exist.")
    pki = generate_cluster_pki(label(cluster.name))
    kubeconfig = admin_kubeconfig(
        pki, cluster_name=label(cluster.name), server=f"https://{_url_host(cluster.endpoint_host)}:6443"
    )
    secrets = {
        "pki": dump_pki(pki),
        "admin_kubeconfig": kubeconfig.reveal(),
        "bootstrap_token": generate_bootstrap_token().reveal(),
        "certificates_expire_at": kubeconfig_expiry(kubeconfig),
    }

    def write() -> None:
        ClusterSecrets.objects.update_or_create(cluster=cluster, defaults=secrets)

    made = "Certificate authorities and the administrator's access are made."
    return Done(made, (_told("CertificatesGenerated", made),), write)


def _done(reason: str, message: str) -> Done:
    return Done(message, (_told(reason, message),))


def _told(reason: str, message: str) -> Note:
    return Note(Severity.INFO, reason, message)


def _machines(work: Work) -> Iterable[Machine]:
    """The operation's own; without a list of them all that the cluster has."""
    machines = Machine.objects.present().filter(cluster=work.cluster)
    if ids := work.context.arguments.get("machines"):
        machines = machines.filter(pk__in=ids)
    return machines.select_related("pool__ip_pool", "placement", "cluster")


def _wanted_by_machine(machine: Machine) -> WantedAddress:
    assert machine.pool.ip_pool is not None
    return WantedAddress(machine.pool.ip_pool, "machine", machine.id, machine.name, NODE_ADDRESS)


def _wanted_by_endpoint(cluster: Cluster) -> WantedAddress:
    pool = cluster.machine_pools.get(role=PoolRole.CONTROL_PLANE)
    assert pool.ip_pool is not None
    return WantedAddress(pool.ip_pool, "cluster", cluster.id, cluster.name, VIRTUAL_ADDRESS)


def _wait_in_line(work: Work, error: PoolExhausted) -> Wait:
    """The pool rings when addresses come back or it grows; the log tells it once."""
    reference = error.pool.wake_reference
    message = f"{error.reason} This goes on by itself when addresses come back or the pool grows."
    is_new = work.context.external_ref != reference
    notes = (Note(Severity.WARNING, "PoolExhausted", message),) if is_new else ()
    return Wait(error.look_again_seconds, message, "PoolExhausted", reference, notes=notes)


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _check_present(cluster: Cluster, placements: Iterable[Placement], inventory: Inventory) -> None:
    present = {
        item.moid
        for items in (
            inventory.datacenters,
            inventory.folders,
            inventory.compute_clusters,
            inventory.resource_pools,
            inventory.datastores,
            inventory.networks,
        )
        for item in items
    }
    for kind, moid, name in _wanted(cluster, placements):
        if moid not in present:
            raise NotFound(f"The {kind} {name} is not in vCenter any more, or the account may not see it.")


def _wanted(cluster: Cluster, placements: Iterable[Placement]) -> Iterator[tuple[str, str, str]]:
    yield "datacenter", cluster.datacenter_moid, cluster.datacenter_name
    yield "folder", cluster.folder_moid, cluster.folder_name
    for place in placements:
        yield "compute cluster", place.compute_cluster_moid, place.compute_cluster_name
        yield "resource pool", place.resource_pool_moid, place.resource_pool_name
        yield "datastore", place.datastore_moid, place.datastore_name
        yield "network", place.network_moid, place.network_name


def _check_datastores(machines: Iterable[Machine], inventory: Inventory) -> None:
    disks: dict[str, list[int]] = defaultdict(list)
    for machine in machines:
        disks[machine.placement.datastore_moid].append(machine.pool.disk_gib)
    for datastore in inventory.datastores:
        needed = needed_storage_gib(disks.get(datastore.moid, []))
        if not needed:
            continue
        if not datastore.accessible or datastore.in_maintenance:
            raise NotFound(
                f"The datastore {datastore.name} cannot be used now.",
                "Check that it is connected and not in maintenance mode.",
            )
        if datastore.free_bytes < needed * GIB:
            free = datastore.free_bytes // GIB
            raise DatastoreFull(f"The datastore {datastore.name} has {free} GB free; {needed} GB are needed.")


def needed_storage_gib(disks: list[int]) -> int:
    return max(disks) + THIN_CLONE_GIB * (len(disks) - 1) if disks else 0


def _check_compute(machines: Iterable[Machine], vcenter: VCenter) -> list[Note]:
    """Scarce memory is a warning, as in the wizard: vSphere can promise more than it has."""
    warnings = []
    by_cluster: dict[tuple[str, str], list[Machine]] = defaultdict(list)
    for machine in machines:
        place = machine.placement
        by_cluster[place.compute_cluster_moid, place.compute_cluster_name].append(machine)
    for (moid, name), placed in by_cluster.items():
        capacity = read_capacity(vcenter, moid)
        memory_mib = sum(machine.pool.memory_mib for machine in placed)
        if not capacity.hosts:
            raise NotEnoughResources(f"The compute cluster {name} has no host that can run machines now.")
        if capacity.free_memory_mib < memory_mib:
            sentence = (
                f"The compute cluster {name} has {capacity.free_memory_mib} MiB of memory free; "
                f"{memory_mib} MiB are needed. Machines may not start."
            )
            warnings.append(Note(Severity.WARNING, "ScarceMemory", sentence))
    return warnings
