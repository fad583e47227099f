"""Whether there is room: CPU and memory, space on datastores, names in the folder, addresses in pools."""

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_network

from gateways.networks import overlap
from gateways.placement import GB, free_space, size_in_words
from gateways.prerequisites.objects import Objects
from gateways.prerequisites.report import Line
from gateways.prerequisites.scope import Scope, WantedMachine
from gateways.prerequisites.words import listed
from ippools.actions import check_has_room
from ippools.actions.room import addresses_in_words
from ippools.models import IPPool
from ippools.promises import usages_with_promises
from palette_portal.http import Conflict

MIB_PER_GB = 1024


def room_lines(objects: Objects) -> Iterator[Line]:
    yield from _compute(objects)
    yield from _storage(objects)
    if objects.scope.machines:
        yield _names(objects)


def _by(objects: Objects, attribute: str) -> dict[str, list[WantedMachine]]:
    """The machines by what their place names."""
    found: dict[str, list[WantedMachine]] = defaultdict(list)
    for machine in objects.scope.machines:
        found[getattr(objects.scope.places[machine.place], attribute)].append(machine)
    return found


def _compute(objects: Objects) -> Iterator[Line]:
    """vSphere can promise more than it has, so scarce CPU or memory is no refusal."""
    for moid, machines in _by(objects, "compute_cluster_moid").items():
        cluster, capacity = objects.cluster(moid), objects.survey.capacities.get(moid)
        if cluster is None or capacity is None:
            continue
        cpus = sum(machine.num_cpus for machine in machines)
        memory_mib = sum(machine.memory_mib for machine in machines)
        has = f"{capacity.cpu_cores} cores and {capacity.free_memory_mib // MIB_PER_GB} GB of free memory"
        needs = f"{cpus} vCPU and {memory_mib / MIB_PER_GB:.0f} GB"
        sentence = f"It has {has}; {needs} are needed."
        fits = capacity.cpu_cores >= cpus and capacity.free_memory_mib >= memory_mib
        hint = "" if fits else "Free CPU or memory, or take smaller machines: some may not start."
        yield Line(
            "capacity", "passed" if fits else "warning", "Compute cluster", cluster.name, sentence, hint
        )


def _storage(objects: Objects) -> Iterator[Line]:
    """Disks are thin: with room for one of them it can go well, with room for all it does."""
    for moid, machines in _by(objects, "datastore_moid").items():
        datastore = objects.datastore(moid)
        if datastore is None:
            continue
        every, largest = (take(machine.disk_gib for machine in machines) * GB for take in (sum, max))
        sentence = f"{free_space(datastore)}; the disks take up to {size_in_words(every)}."
        name, kind = datastore.name, "Datastore"
        if datastore.free_bytes >= every:
            yield Line("space", "passed", kind, name, sentence)
        elif datastore.free_bytes >= largest:
            hint = "Thin disks may outgrow the datastore. Free space on it or choose another one."
            yield Line("space", "warning", kind, name, sentence, hint)
        else:
            yield Line("space", "failed", kind, name, sentence, "Free space on it or choose another one.")


def _names(objects: Objects) -> Line:
    scope, folder = objects.scope, objects.machines_folder
    there = {item.name for item in objects.contents.get(folder.moid, ())} if folder else set()
    taken = [machine.name for machine in scope.machines if machine.name in there]
    kind, name = "Folder", _path(objects)
    if taken:
        hint = "Rename or remove them in vCenter, or choose another folder: the portal never touches them."
        sentence = f"It holds other machines with these names: {listed(taken, most=3)}."
        return Line("names", "failed", kind, name, sentence, hint)
    free = (
        "The name of the machine is free."
        if len(scope.machines) == 1
        else "The names of all machines are free."
    )
    return Line("names", "passed", kind, name, free)


def _path(objects: Objects) -> str:
    """Where the machines go, also while the cluster's own folder does not exist."""
    chosen = objects.folder(objects.scope.folder_moid)
    if chosen is None:
        return ""
    return "/".join(filter(None, [chosen.path, objects.scope.own_folder])) or "vm"


def address_lines(scope: Scope) -> Iterator[Line]:
    """Needs no vCenter."""
    for pool, needed in scope.addresses:
        yield from _overlaps(pool, scope)
        try:
            check_has_room(pool, needed)
        except Conflict as conflict:
            hint = "Make the pool larger, choose another one, or delete clusters that use it."
            yield Line("addresses", "failed", "IP pool", pool.name, conflict.reason, hint)
        else:
            usage = usages_with_promises([pool])[pool.pk]
            free = f"{addresses_in_words(usage.free)} {usage.free_in_words}"
            sentence = f"{free}; {needed.total} needed: {needed}."
            yield Line("addresses", "passed", "IP pool", pool.name, sentence)


def _overlaps(pool: IPPool, scope: Scope) -> Iterator[Line]:
    for what, cidr in scope.networks:
        if overlap(ip_network(cidr), pool.network):
            sentence = f"The {what} network {cidr} of the profile overlaps {pool.network}, where the pool is."
            hint = "Change it in the values of the pack, or choose another IP pool."
            yield Line("networks", "failed", "IP pool", pool.name, sentence, hint)
