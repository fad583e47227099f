"""Machines in vCenter: look, then start one vSphere task and give back its id. Nothing here waits.

The instance UUID is ours; a machine with our name and another UUID is somebody else's and is never touched.
"""

from palette_portal.vsphere.machines.acting import (
    set_extra_config,
    start_clone,
    start_destroy,
    start_detach,
    start_power_off,
    start_power_on,
    start_reconfigure,
)
from palette_portal.vsphere.machines.comparing import differences, foreign_disks
from palette_portal.vsphere.machines.looking import (
    find_by_bios_uuid,
    find_by_instance_uuid,
    find_in_folder,
    find_machine,
    find_template,
    is_gone,
    read_machine,
)
from palette_portal.vsphere.machines.remains import (
    Identity,
    find_annotated,
    find_remains,
    has_marks,
    is_ours,
)
from palette_portal.vsphere.machines.values import CloneSpec, Disk, Nic, VirtualMachine

__all__ = [
    "CloneSpec",
    "Disk",
    "Identity",
    "Nic",
    "VirtualMachine",
    "differences",
    "find_annotated",
    "find_by_bios_uuid",
    "find_by_instance_uuid",
    "find_in_folder",
    "find_machine",
    "find_remains",
    "find_template",
    "foreign_disks",
    "has_marks",
    "is_gone",
    "is_ours",
    "read_machine",
    "set_extra_config",
    "start_clone",
    "start_destroy",
    "start_detach",
    "start_power_off",
    "start_power_on",
    "start_reconfigure",
]
