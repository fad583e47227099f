"""Putting tags on machines: a category of ours, one tag for each text, made when they are missing."""

from collections.abc import Sequence
from typing import Any

from palette_portal.vsphere.errors import NoPermission, NotFound
from palette_portal.vsphere.properties import read_one
from palette_portal.vsphere.rest import OLDER, Dialect, NotSpoken, RestSession, rest_session
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.tags import dialects

CATEGORY = "palette"
DESCRIPTION = "Made by Palette Portal"
PRIVILEGES = (
    "InventoryService.Tagging.AttachTag",
    "InventoryService.Tagging.CreateCategory",
    "InventoryService.Tagging.CreateTag",
)


def ensure_tagged(vcenter: VCenter, vm_moid: str, tags: Sequence[str]) -> None:
    """Tags that the machine has already stay. Raise NoPermission where the account may not tag."""
    first, second = dialects(vcenter)
    try:
        _ensure_tagged(vcenter, first, vm_moid, tags)
    except NotSpoken:
        _ensure_tagged(vcenter, second, vm_moid, tags)


def remove_unused(vcenter: VCenter, tags: Sequence[str]) -> list[str]:
    """Those of the tags that no object has any more; the names of the removed ones."""
    first, second = dialects(vcenter)
    try:
        return _remove_unused(vcenter, first, tags)
    except NotSpoken:
        return _remove_unused(vcenter, second, tags)


def _remove_unused(vcenter: VCenter, dialect: Dialect, tags: Sequence[str]) -> list[str]:
    with rest_session(vcenter.credentials, dialect, vcenter.timeouts, vcenter.count_rest) as session:
        category = _find_category(session)
        known = _tags_of(session, category) if category else {}
        unused = [name for name in tags if name in known and not _is_used(vcenter, session, known[name])]
        for name in unused:
            session.delete(dialect.item("tag", known[name]))
    return unused


def _is_used(vcenter: VCenter, session: RestSession, tag: str) -> bool:
    """By an object that exists: servers may remember for a while that a removed one had it."""
    path = f"{session.dialect.tagging}/tag-association/{session.dialect.identity}{tag}"
    attached = session.post(path, "list-attached-objects", {}) or ()
    return any(_exists(vcenter, found["type"], found["id"]) for found in attached)


def _exists(vcenter: VCenter, kind: str, moid: str) -> bool:
    try:
        read_one(vcenter, kind, moid, ["name"])
    except NotFound:
        return False
    return True


def _ensure_tagged(vcenter: VCenter, dialect: Dialect, vm_moid: str, tags: Sequence[str]) -> None:
    with rest_session(vcenter.credentials, dialect, vcenter.timeouts, vcenter.count_rest) as session:
        category = _category(session)
        known = _tags_of(session, category)
        wanted = [known.get(name) or _create_tag(session, category, name) for name in tags]
        body = {"object_id": {"type": "VirtualMachine", "id": vm_moid}, "tag_ids": wanted}
        answer = session.post(f"{dialect.tagging}/tag-association", "attach-multiple-tags-to-object", body)
    _check_attached(answer)


def _find_category(session: RestSession) -> str:
    """Empty while it was not made."""
    for identity in session.get(f"{session.dialect.tagging}/category") or ():
        if session.get(session.dialect.item("category", identity))["name"] == CATEGORY:
            return str(identity)
    return ""


def _category(session: RestSession) -> str:
    if found := _find_category(session):
        return found
    tagging = session.dialect.tagging
    spec = {
        "name": CATEGORY,
        "description": DESCRIPTION,
        "cardinality": "MULTIPLE",
        "associable_types": ["VirtualMachine"],
    }
    return session.create(f"{tagging}/category", spec)


def _tags_of(session: RestSession, category: str) -> dict[str, str]:
    """Ids by name."""
    return {
        session.get(session.dialect.item("tag", identity))["name"]: str(identity)
        for identity in _list_tags(session, category) or ()
    }


def _list_tags(session: RestSession, category: str) -> Any:
    action = "list-tags-for-category"
    if session.dialect is OLDER:
        return session.post(session.dialect.item("tag", category), action, {})
    return session.post(f"{session.dialect.tagging}/tag", action, {"category_id": category})


def _create_tag(session: RestSession, category: str, name: str) -> str:
    spec = {"name": name, "description": DESCRIPTION, "category_id": category}
    return session.create(f"{session.dialect.tagging}/tag", spec)


def _check_attached(answer: Any) -> None:
    if isinstance(answer, dict) and answer.get("success") is False:
        said = " ".join(_message(error) for error in answer.get("error_messages") or ())
        raise NoPermission(
            f"vCenter did not put the tags on the machine: {said or 'it gives no reason.'}",
            privileges=PRIVILEGES,
        )


def _message(error: dict[str, Any]) -> str:
    return str(error.get("default_message") or error.get("message") or "")
