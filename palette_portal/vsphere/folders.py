"""Folders of virtual machines: looking for them, making and removing one."""

from palette_portal.vsphere.errors import NameTaken, NotFound
from palette_portal.vsphere.inventory import plain_name
from palette_portal.vsphere.properties import Properties, Traversal, collect, kind_of, moid_of, read_one
from palette_portal.vsphere.session import VCenter


def find_folders(vcenter: VCenter, datacenter_moid: str, name: str) -> list[Properties]:
    """All of this name in the datacenter."""
    datacenter = vcenter.managed("Datacenter", datacenter_moid)
    found = collect(
        vcenter,
        [datacenter],
        {"Folder": ["name"]},
        [Traversal("Datacenter", "vmFolder"), Traversal("Folder", "childEntity")],
    )
    return [folder for folder in found if plain_name(folder.get("name", "")) == name]


def find_child_folder(vcenter: VCenter, parent_moid: str, name: str) -> str:
    """The id of the folder right inside the parent; empty when there is none."""
    child = vcenter.content.searchIndex.FindChild(vcenter.managed("Folder", parent_moid), name)
    return moid_of(child) if child is not None and kind_of(child) == "Folder" else ""


def create_folder(vcenter: VCenter, parent_moid: str, name: str) -> str:
    """NameTaken when something in the parent has the name."""
    return moid_of(vcenter.managed("Folder", parent_moid).CreateFolder(name))


def is_empty(vcenter: VCenter, folder_moid: str) -> bool:
    return not read_one(vcenter, "Folder", folder_moid, ["childEntity"]).moids_at("childEntity")


def folder_exists(vcenter: VCenter, folder_moid: str) -> bool:
    try:
        read_one(vcenter, "Folder", folder_moid, ["name"])
    except NotFound:
        return False
    return True


def start_remove_folder(vcenter: VCenter, folder_moid: str) -> str | None:
    """None when it is gone already. What is inside would go with it, so only an empty one is removed."""
    try:
        if not is_empty(vcenter, folder_moid):
            raise NameTaken("The folder is not empty: what is in it was not made by the portal.")
        return moid_of(vcenter.managed("Folder", folder_moid).Destroy_Task())
    except NotFound:
        return None
