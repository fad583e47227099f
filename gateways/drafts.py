"""What the Configure wizard knows so far, page by page.

A page is complete once its form was accepted; typed values are kept before that too. A change on one page can
reopen later pages: they keep their values and say why they have to be looked at again.
"""

import re
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from gateways.models import ConfigureDraft, PrivateCloudGateway
from palette_portal.tenants import audit
from palette_portal.tenants.models import User
from palette_portal.vsphere.session import Credentials

VCENTER, PLACEMENT, ADDRESSES = "vcenter", "placement", "addresses"
FORM_PAGES = (VCENTER, PLACEMENT, ADDRESSES)

_SEPARATORS = re.compile(r"[\s,;]+")
NOT_CHECKED = "Not finished yet."
ENTER_AGAIN = "The gateway was reset. Enter the password of the vCenter account again."


def get_draft(gateway: PrivateCloudGateway) -> ConfigureDraft:
    """The gateway's draft; an unsaved empty one before the first page was sent."""
    draft = ConfigureDraft.objects.filter(gateway=gateway).first()
    return draft or ConfigureDraft(gateway=gateway)


def page_values(draft: ConfigureDraft, page: str) -> dict[str, Any]:
    return dict(draft.pages.get(page, {}).get("values", {}))


def open_reason(draft: ConfigureDraft, page: str) -> str:
    """Why a page that has values is not complete; empty for complete and for untouched pages."""
    return str(draft.pages.get(page, {}).get("open", ""))


def is_complete(draft: ConfigureDraft, page: str) -> bool:
    return page in draft.pages and not open_reason(draft, page)


def first_incomplete(draft: ConfigureDraft) -> str | None:
    return next((page for page in FORM_PAGES if not is_complete(draft, page)), None)


@transaction.atomic
def save_complete(
    *,
    gateway: PrivateCloudGateway,
    page: str,
    values: Mapping[str, Any],
    by: User,
    reopen: Mapping[str, str] | None = None,
    **columns: Any,
) -> ConfigureDraft:
    """Keep an accepted page. `reopen` names later pages and why they must be looked at again."""
    draft = _locked(gateway)
    draft.pages[page] = {"values": dict(values), "open": ""}
    for later, reason in (reopen or {}).items():
        if later in draft.pages:
            draft.pages[later]["open"] = reason
    return _save(draft, page, by, columns)


@transaction.atomic
def save_unfinished(
    *, gateway: PrivateCloudGateway, page: str, values: Mapping[str, Any], by: User, **columns: Any
) -> ConfigureDraft:
    """Keep what was typed, unchecked. A complete page whose values did not change stays complete."""
    draft = _locked(gateway)
    known = page_values(draft, page)
    unchanged = all(_is_same(known.get(name), value) for name, value in values.items())
    if is_complete(draft, page) and unchanged and not columns:
        return draft
    draft.pages[page] = {"values": {**known, **values}, "open": open_reason(draft, page) or NOT_CHECKED}
    return _save(draft, page, by, columns)


@transaction.atomic
def reopen(gateway: PrivateCloudGateway, *, pool_id: str = "") -> None:
    """After a reset: the last values stay, the password does not, and a pool that was made is a known one."""
    draft = ConfigureDraft.objects.select_for_update().filter(gateway=gateway).first()
    if draft is None:
        return
    if VCENTER in draft.pages:
        draft.pages[VCENTER]["open"] = ENTER_AGAIN
    if pool_id and ADDRESSES in draft.pages:
        draft.pages[ADDRESSES]["values"]["pool"] = pool_id
    draft.password = ""
    draft.save()


def credentials_of(draft: ConfigureDraft) -> Credentials:
    values = page_values(draft, VCENTER)
    return Credentials(
        server=values["server"],
        username=values["username"],
        password=draft.password,
        thumbprint_sha256=draft.vcenter.get("pinned_thumbprint", ""),
    )


def account_of(values: Mapping[str, Any]) -> str:
    """The vCenter page's values in one word, to notice that another account was entered."""
    return f"{values['username']} on {values['server']}"


def password_is_stored_for(draft: ConfigureDraft, server: str, username: str) -> bool:
    known = page_values(draft, VCENTER)
    return bool(draft.password) and (known.get("server"), known.get("username")) == (server, username)


def _is_same(known: Any, typed: Any) -> bool:
    """Whether a typed text says what the cleaned value says: 3 is "3", a list is its parts."""
    if isinstance(known, bool):
        return known == bool(typed)
    text = "".join(known) if isinstance(known, list) else str(known or "")
    return _SEPARATORS.sub("", text) == _SEPARATORS.sub("", str(typed or ""))


def _locked(gateway: PrivateCloudGateway) -> ConfigureDraft:
    ConfigureDraft.objects.get_or_create(gateway=gateway)
    return (
        ConfigureDraft.objects.select_for_update(of=("self",))
        .select_related("gateway__tenant")
        .get(gateway=gateway)
    )


def _save(draft: ConfigureDraft, page: str, by: User, columns: Mapping[str, Any]) -> ConfigureDraft:
    for name, value in columns.items():
        setattr(draft, name, value)
    draft.updated_by = by
    draft.save()
    gateway = draft.gateway
    audit.record(
        by=by,
        action="save-draft",
        obj_kind="gateway",
        obj_id=gateway.pk,
        obj_name=gateway.display_name,
        tenant=gateway.tenant,
        page=page,
    )
    return draft
