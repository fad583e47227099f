"""Images: an OVA becomes a machine with our UUID, then a template. The machine is marked when it is whole.

Uploading is the one thing here that takes as long as the bytes need.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from palette_portal.vsphere.errors import AmbiguousName, ImageUnusable, TemplateNotFound
from palette_portal.vsphere.folders import find_folders
from palette_portal.vsphere.machines import VirtualMachine, set_extra_config
from palette_portal.vsphere.nfc import Lease, Target, Tell
from palette_portal.vsphere.ova import Archive, Descriptor, Readable
from palette_portal.vsphere.properties import moid_of, read_one
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.vmomi import vim

WHOLE_MARK = "palette.image.whole"
SNAPSHOT = "palette-base"


@dataclass(frozen=True)
class ImageSpec:
    name: str
    instance_uuid: str
    folder_moid: str
    resource_pool_moid: str
    datastore_moid: str
    network_moid: str
    annotation: str
    marks: Mapping[str, str] = field(default_factory=dict)


def upload_image(vcenter: VCenter, source: Readable, spec: ImageSpec, *, tell: Tell) -> bool:
    """Make the machine out of the OVA; True when a manifest vouched for it. `tell` may raise to stop it."""
    archive = Archive(source)
    descriptor, disks = archive.read()
    result = _create_spec(vcenter, descriptor, spec)
    targets = {item.path: Target(item.deviceId, bool(item.create)) for item in result.fileItem or ()}
    total = sum(descriptor.files.get(path, 0) for path in targets)
    with _lease(vcenter, result.importSpec, spec) as lease:
        for disk in disks:
            if disk.name in targets:
                lease.upload(disk, targets.pop(disk.name), total=total, tell=tell)
        if targets:
            raise ImageUnusable(f"The image lacks {', '.join(sorted(targets))}, which its descriptor names.")
        archive.verify()
        lease.complete()
    return archive.has_manifest


def _create_spec(vcenter: VCenter, descriptor: Descriptor, spec: ImageSpec) -> Any:
    is_distributed = spec.network_moid.startswith("dvportgroup-")
    network = vcenter.managed(
        "DistributedVirtualPortgroup" if is_distributed else "Network", spec.network_moid
    )
    parameters = vim.OvfManager.CreateImportSpecParams(
        entityName=spec.name,
        diskProvisioning="thin",
        networkMapping=[
            vim.OvfManager.NetworkMapping(name=name, network=network) for name in descriptor.networks
        ],
        locale="",
        deploymentOption="",
    )
    result = vcenter.content.ovfManager.CreateImportSpec(
        descriptor.text,
        vcenter.managed("ResourcePool", spec.resource_pool_moid),
        vcenter.managed("Datastore", spec.datastore_moid),
        parameters,
    )
    if result.error:
        said = " ".join(fault.localizedMessage or "" for fault in result.error)
        raise ImageUnusable(f"vCenter cannot import the image: {said.strip() or 'it gives no reason.'}")
    config = result.importSpec.configSpec
    config.instanceUuid, config.annotation = spec.instance_uuid, spec.annotation
    marks = [vim.option.OptionValue(key=key, value=value) for key, value in spec.marks.items()]
    config.extraConfig = [*(config.extraConfig or ()), *marks]
    return result


@contextmanager
def _lease(vcenter: VCenter, import_spec: Any, spec: ImageSpec) -> Iterator[Lease]:
    pool = vcenter.managed("ResourcePool", spec.resource_pool_moid)
    lease = Lease(vcenter, pool.ImportVApp(import_spec, vcenter.managed("Folder", spec.folder_moid)))
    try:
        lease.wait_until_ready()
        yield lease
    except BaseException:
        lease.abort()
        raise


def find_image_folder(vcenter: VCenter, datacenter_moid: str, name: str) -> str:
    """The one folder of this name, by id."""
    folders = find_folders(vcenter, datacenter_moid, name)
    if not folders:
        raise TemplateNotFound(f"The datacenter has no folder “{name}” that this account can see.")
    if len(folders) > 1:
        candidates = [folder.moid for folder in folders]
        raise AmbiguousName(f"The datacenter has several folders named “{name}”.", candidates=candidates)
    return folders[0].moid


def is_whole(vm: VirtualMachine) -> bool:
    return vm.extra_config.get(WHOLE_MARK) == "yes"


def start_marking_whole(vcenter: VCenter, vm_moid: str) -> str:
    return set_extra_config(vcenter, vm_moid, {WHOLE_MARK: "yes"})


def has_snapshot(vcenter: VCenter, vm_moid: str) -> bool:
    found = read_one(vcenter, "VirtualMachine", vm_moid, ["snapshot.currentSnapshot"])
    return bool(found.moid_at("snapshot.currentSnapshot"))


def start_snapshot(vcenter: VCenter, vm_moid: str) -> str:
    """What linked clones are made from."""
    vm = vcenter.managed("VirtualMachine", vm_moid)
    return moid_of(vm.CreateSnapshot_Task(SNAPSHOT, "What clones are made from.", False, False))


def mark_as_template(vcenter: VCenter, vm_moid: str) -> None:
    vcenter.managed("VirtualMachine", vm_moid).MarkAsTemplate()
