"""Which addresses the guests of a vCenter say they have: one paged sweep."""

from dataclasses import dataclass

from palette_portal.vsphere.inventory import plain_name
from palette_portal.vsphere.machines.looking import reachable_addresses
from palette_portal.vsphere.properties import Traversal, collect
from palette_portal.vsphere.session import VCenter

PATHS = ("name", "config.instanceUuid", "guest.ipAddress", "guest.net")
TRAVERSALS = (Traversal("Folder", "childEntity"), Traversal("Datacenter", "vmFolder"))


@dataclass(frozen=True)
class Guest:
    name: str
    instance_uuid: str
    addresses: tuple[str, ...]


def read_guests(vcenter: VCenter) -> list[Guest]:
    found = collect(vcenter, [vcenter.content.rootFolder], {"VirtualMachine": PATHS}, TRAVERSALS)
    return [
        Guest(
            name=plain_name(machine.get("name", "")),
            instance_uuid=machine.get("config.instanceUuid", ""),
            addresses=tuple(dict.fromkeys(reachable_addresses(machine))),
        )
        for machine in found
        if machine.kind == "VirtualMachine"
    ]
