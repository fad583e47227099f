"""Files of disks on datastores."""

from palette_portal.vsphere.errors import NotFound
from palette_portal.vsphere.session import VCenter


def disk_exists(vcenter: VCenter, datacenter_moid: str, file_name: str) -> bool:
    """`file_name` is "[datastore] folder/name.vmdk". Other trouble than its absence is raised."""
    datacenter = vcenter.managed("Datacenter", datacenter_moid)
    try:
        vcenter.content.virtualDiskManager.QueryVirtualDiskUuid(file_name, datacenter)
    except NotFound:
        return False
    return True
