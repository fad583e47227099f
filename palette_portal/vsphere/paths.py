"""Where an object stands in the inventory, as people read it."""

from palette_portal.vsphere.inventory import plain_name
from palette_portal.vsphere.properties import kind_of, read_one
from palette_portal.vsphere.session import VCenter


def inventory_path(vcenter: VCenter, kind: str, moid: str) -> str:
    """Names from the datacenter (and folders above it) down to the object."""
    names: list[str] = []
    while moid:
        found = read_one(vcenter, kind, moid, ["name", "parent"])
        parent = found.get("parent")
        if parent is None:
            break
        names.append(plain_name(found.get("name", "")))
        kind, moid = kind_of(parent), found.moid_at("parent")
    return "/".join(reversed(names))
