"""What a forced deletion leaves: as vCenter shows it now, or else as the portal remembers it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from clusters.models import Cluster, Leftover, LeftoverKind, Machine
from clusters.steps.belongings import own_folder
from clusters.steps.removal import find_vm_of, was_begun
from clusters.steps.work import Work
from palette_portal.vsphere.errors import VSphereError
from palette_portal.vsphere.machines import VirtualMachine, foreign_disks
from palette_portal.vsphere.paths import inventory_path


@dataclass(frozen=True)
class Remains:
    kind: LeftoverKind
    name: str
    path: str
    moid: str = ""
    instance_uuid: UUID | None = None

    @classmethod
    def of_address(cls, address: str, *, pool: str, owner: str) -> Self:
        return cls(LeftoverKind.ADDRESS, address, f"kept back in the IP pool {pool} because of {owner}")

    def as_row(self, cluster: Cluster) -> Leftover:
        return Leftover(
            cluster=cluster,
            kind=self.kind,
            name=self.name[:255],
            path=self.path[:500],
            moid=self.moid,
            instance_uuid=self.instance_uuid,
        )


def remains_of(work: Work, machines: Sequence[Machine]) -> list[Remains]:
    """vCenter is asked until it fails once: then the rest is what the portal remembers."""
    begun = [machine for machine in machines if was_begun(work, machine)]
    found: list[Remains] = []
    try:
        for machine in begun:
            found += _seen(work, machine)
        return [*found, *_folder(work)]
    except VSphereError:
        return [*(_remembered(machine, work.cluster) for machine in begun), *_remembered_folder(work.cluster)]


def _seen(work: Work, machine: Machine) -> Iterator[Remains]:
    """A machine that is not found is not proven gone: its clone may still be under way."""
    vm = find_vm_of(work, machine)
    if vm is None:
        yield _remembered(machine, work.cluster)
        return
    path = inventory_path(work.vcenter, "VirtualMachine", vm.moid)
    yield Remains(LeftoverKind.MACHINE, vm.name, path, vm.moid, machine.pk)
    yield from _disks(vm)


def _disks(vm: VirtualMachine) -> Iterator[Remains]:
    foreign = foreign_disks(vm)
    for disk in vm.disks:
        kind = LeftoverKind.VOLUME if disk in foreign else LeftoverKind.DISK
        yield Remains(kind, disk.file_name, f"{disk.label} of {vm.name}", disk.datastore_moid)


def _folder(work: Work) -> Iterator[Remains]:
    if moid := own_folder(work):
        path = inventory_path(work.vcenter, "Folder", moid)
        yield Remains(LeftoverKind.FOLDER, work.cluster.name, path, moid)


def _remembered(machine: Machine, cluster: Cluster) -> Remains:
    path = f"{cluster.datacenter_name}/vm/{cluster.folder_name}/{machine.name}"
    return Remains(LeftoverKind.MACHINE, machine.name, path, machine.moid, machine.pk)


def _remembered_folder(cluster: Cluster) -> list[Remains]:
    if not cluster.has_own_folder:
        return []
    name = cluster.name
    path = f"{cluster.datacenter_name}/vm/{cluster.folder_name}/{name}"
    return [Remains(LeftoverKind.FOLDER, name, path, cluster.own_folder_moid)]
