"""Whether a running gateway has room for more nodes: addresses in its pool, space and memory in vCenter."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from clusters.actions.machines import places_for
from clusters.models import AddressAllocation, Cluster, MachinePool, Placement
from clusters.steps.preparation import needed_storage_gib
from gateways.logins import note_refusal, open_session
from gateways.placement import GB, free_space
from gateways.prerequisites.report import Line
from gateways.time_limit import TooManyAtOnce, within
from ippools.actions import check_has_room
from ippools.actions.room import addresses_in_words
from ippools.promises import promised, promises_on
from ippools.reservations import Reservation
from ippools.usage import usage_of
from palette_portal.http import Conflict
from palette_portal.vsphere.capacity import read_capacity
from palette_portal.vsphere.errors import VSphereError
from palette_portal.vsphere.inventory import Inventory, read_inventory
from palette_portal.vsphere.session import VCenter

LIMIT_SECONDS = 15.0
MIB_PER_GB = 1024


def room_for(body: Cluster, pool: MachinePool, *, nodes: int) -> list[Line]:
    """For so many more nodes of the control plane, and the spare address of later upgrades."""
    places = places_for(pool, nodes)
    return [*_addresses(body, pool, nodes), *_in_vcenter(body, pool, places)]


def more_addresses(nodes: int) -> Reservation:
    return Reservation(nodes, spare=1)


def _addresses(body: Cluster, pool: MachinePool, nodes: int) -> Iterator[Line]:
    if body.address_allocation != AddressAllocation.STATIC:
        return
    assert pool.ip_pool is not None  # static clusters have one for each pool
    needed, name = more_addresses(nodes), pool.ip_pool.name
    promises = promises_on([pool.ip_pool])[pool.ip_pool.pk]
    try:
        check_has_room(pool.ip_pool, needed, cluster_id=body.pk, promises=promises)
    except Conflict as conflict:
        hint = "Make the pool larger, or delete clusters that use it."
        yield Line("addresses", "failed", "IP pool", name, conflict.reason, hint)
    else:
        usage = replace(usage_of(pool.ip_pool), promised=promised(promises, besides=body.pk))
        free = f"{addresses_in_words(usage.free)} {usage.free_in_words}"
        sentence = f"{free}; {needed.total} needed: {needed}."
        yield Line("addresses", "passed", "IP pool", name, sentence)


def _in_vcenter(body: Cluster, pool: MachinePool, places: Sequence[Placement]) -> list[Line]:
    account = body.cloud_account
    assert account is not None  # until the cluster is Deleted

    def ask() -> list[Line]:
        return list(_room(open_session(account), pool, places))

    server = account.vcenter_server
    try:
        lines = within(LIMIT_SECONDS, ask)
    except TooManyAtOnce as busy:
        return [Line("vcenter", "failed", "vCenter", server, busy.reason)]
    except VSphereError as error:
        note_refusal(account, error)
        return [Line("vcenter", "failed", "vCenter", server, error.sentence, error.hint)]
    if lines is None:
        late = f"It did not finish answering within {LIMIT_SECONDS:.0f} seconds."
        return [Line("vcenter", "failed", "vCenter", server, late, "Try again when it is less busy.")]
    return lines


def _room(vcenter: VCenter, pool: MachinePool, places: Sequence[Placement]) -> Iterator[Line]:
    inventory = read_inventory(vcenter)
    by_datastore: dict[tuple[str, str], int] = defaultdict(int)
    by_cluster: dict[tuple[str, str], int] = defaultdict(int)
    for place in places:
        by_datastore[place.datastore_moid, place.datastore_name] += 1
        by_cluster[place.compute_cluster_moid, place.compute_cluster_name] += 1
    for (moid, name), count in by_datastore.items():
        yield _space(inventory, moid, name, needed_storage_gib([pool.disk_gib] * count))
    for (moid, name), count in by_cluster.items():
        yield _memory(vcenter, moid, name, pool, count)


def _space(inventory: Inventory, moid: str, name: str, needed_gib: int) -> Line:
    found = next((datastore for datastore in inventory.datastores if datastore.moid == moid), None)
    if found is None:
        return Line("space", "failed", "Datastore", name, "It is not in vCenter any more.")
    if not found.accessible or found.in_maintenance:
        hint = "Check that it is connected and not in maintenance mode."
        return Line("space", "failed", "Datastore", name, "It cannot be used now.", hint)
    sentence = f"{free_space(found)}; {needed_gib} GB are needed."
    if found.free_bytes < needed_gib * GB:
        return Line("space", "failed", "Datastore", name, sentence, "Free space on it.")
    return Line("space", "passed", "Datastore", name, sentence)


def _memory(vcenter: VCenter, moid: str, name: str, pool: MachinePool, count: int) -> Line:
    """vSphere can promise more than it has, so scarce CPU or memory is no refusal."""
    kind, capacity = "Compute cluster", read_capacity(vcenter, moid)
    if not capacity.hosts:
        hint = "Take a host out of maintenance mode, or connect one."
        return Line("capacity", "failed", kind, name, "It has no host that can run machines now.", hint)
    free_gb, cpus = capacity.free_memory_mib // MIB_PER_GB, pool.num_cpus * count
    needed_mib = pool.memory_mib * count
    sentence = (
        f"{capacity.cpu_cores} cores and {free_gb} GB of memory free; "
        f"{cpus} vCPU and {needed_mib // MIB_PER_GB} GB are needed."
    )
    if capacity.cpu_cores < cpus or capacity.free_memory_mib < needed_mib:
        return Line("capacity", "warning", kind, name, sentence, "The new machines may not start.")
    return Line("capacity", "passed", kind, name, sentence)
