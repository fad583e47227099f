"""Machines that carry marks, wherever they are: two sweeps, whatever the number of machines."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from palette_portal.vsphere.inventory import plain_name
from palette_portal.vsphere.properties import Properties, Traversal, collect
from palette_portal.vsphere.session import VCenter

SWEPT = {
    "Datacenter": ["name", "parent"],
    "Folder": ["name", "parent"],
    "VirtualMachine": ["name", "parent", "config.annotation", "config.instanceUuid"],
}
DETAILS = ["name", "config.extraConfig", "runtime.powerState", "guest.ipAddress"]
TRAVERSALS = (
    Traversal("Folder", "childEntity"),
    Traversal("Datacenter", "vmFolder"),
)


@dataclass(frozen=True)
class MarkedMachine:
    moid: str
    name: str
    path: str
    instance_uuid: str
    power_state: str
    ip_address: str
    marks: Mapping[str, str]


def find_marked(
    vcenter: VCenter, *, text: str, instance_uuids: Collection[str], keys: Collection[str]
) -> list[MarkedMachine]:
    """Those with all marks of `keys`, among machines whose annotation has the text or whose UUID is known."""
    found = {one.moid: one for one in collect(vcenter, [vcenter.content.rootFolder], SWEPT, TRAVERSALS)}
    known = set(instance_uuids)
    candidates = [
        one
        for one in found.values()
        if one.kind == "VirtualMachine"
        and (text in one.get("config.annotation", "") or one.get("config.instanceUuid", "") in known)
    ]
    if not candidates:
        return []
    starts = [vcenter.managed("VirtualMachine", one.moid) for one in candidates]
    details = collect(vcenter, starts, {"VirtualMachine": DETAILS})
    machines = [_machine(one, found, keys) for one in details]
    marked = [machine for machine in machines if set(machine.marks) == set(keys)]
    return sorted(marked, key=lambda machine: (machine.path, machine.moid))


def _machine(details: Properties, found: Mapping[str, Properties], keys: Collection[str]) -> MarkedMachine:
    swept = found[details.moid]
    options = {option.key: str(option.value) for option in details.get("config.extraConfig", ())}
    return MarkedMachine(
        moid=details.moid,
        name=plain_name(details.get("name", "")),
        path=_path(swept, found),
        instance_uuid=swept.get("config.instanceUuid", ""),
        power_state=details.get("runtime.powerState", "poweredOff"),
        ip_address=details.get("guest.ipAddress", ""),
        marks={key: options[key] for key in keys if key in options},
    )


def _path(machine: Properties, found: Mapping[str, Properties]) -> str:
    """As `inventory_path` says it, from what was swept; without the root folder."""
    names = [plain_name(machine.get("name", ""))]
    above = found.get(machine.moid_at("parent"))
    while above is not None and above.get("parent") is not None:
        names.append(plain_name(above.get("name", "")))
        above = found.get(above.moid_at("parent"))
    return "/".join(reversed(names))
