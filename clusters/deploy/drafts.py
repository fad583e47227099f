"""What the deploy wizard knows so far, page by page.

A page is complete once its form was accepted; typed values are kept before that too. A change on one page can
reopen later pages: they keep their values and say why they have to be looked at again. Once a cluster was
deployed from it, a draft only leads there.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from clusters.models import DeployDraft
from palette_portal.tenants import audit
from palette_portal.tenants.models import Project, User
from palette_portal.tenants.permissions import Permission, check

BASICS, PROFILE, PARAMETERS, PLACEMENT, POOLS = "basics", "profile", "parameters", "placement", "pools"
FORM_PAGES = (BASICS, PROFILE, PARAMETERS, PLACEMENT, POOLS)
NOT_CHECKED = "Not finished yet."
_SEPARATORS = re.compile(r"[\s,;=:]+")


def drafts_of(user: User) -> QuerySet[DeployDraft]:
    """Those a person may continue: of the projects in which this person may deploy."""
    projects = Project.objects.where(user, Permission.DEPLOY_CLUSTERS)
    unfinished = DeployDraft.objects.filter(project__in=projects, cluster=None)
    return unfinished.select_related("project", "created_by", "profile_version__profile")


def page_values(draft: DeployDraft, page: str) -> dict[str, Any]:
    return dict(draft.pages.get(page, {}).get("values", {}))


def open_reason(draft: DeployDraft, page: str) -> str:
    """Why a page that has values is not complete; empty for complete and for untouched pages."""
    return str(draft.pages.get(page, {}).get("open", ""))


def is_complete(draft: DeployDraft, page: str) -> bool:
    return page in draft.pages and not open_reason(draft, page)


def first_incomplete(draft: DeployDraft) -> str | None:
    return next((page for page in FORM_PAGES if not is_complete(draft, page)), None)


def draft_name(draft: DeployDraft) -> str:
    return page_values(draft, BASICS).get("name") or "Unnamed cluster"


def chosen_add_ons(draft: DeployDraft) -> list[str]:
    """Ids of versions of add-on profiles, in their order."""
    return list(page_values(draft, PROFILE).get("add_ons", []))


def variables_of(draft: DeployDraft) -> dict[str, str]:
    """What was given for the profiles' variables, secrets among them, as clusters.profiles.stack keeps it."""
    given: dict[str, str] = json.loads(draft.variables) if draft.variables else {}
    return given


@transaction.atomic
def create_draft(
    *, project: Project, values: Mapping[str, Any], by: User, is_finished: bool = True
) -> DeployDraft:
    """A draft begins with its first page."""
    check(by, Permission.DEPLOY_CLUSTERS, project=project)
    reason = "" if is_finished else NOT_CHECKED
    draft = DeployDraft(
        project=project, created_by=by, pages={BASICS: {"values": dict(values), "open": reason}}
    )
    draft.save()
    _audit(draft, "create-draft", by, page=BASICS)
    return draft


@transaction.atomic
def save_complete(
    *,
    draft: DeployDraft,
    page: str,
    values: Mapping[str, Any],
    by: User,
    reopen: Mapping[str, str] | None = None,
    **columns: Any,
) -> DeployDraft:
    """Keep an accepted page. `reopen` names later pages and why they must be looked at again."""
    draft = locked(draft.pk)
    draft.pages[page] = {"values": dict(values), "open": ""}
    for later, reason in (reopen or {}).items():
        if later in draft.pages:
            draft.pages[later]["open"] = reason
    return _save(draft, page, by, columns)


@transaction.atomic
def save_unfinished(
    *, draft: DeployDraft, page: str, values: Mapping[str, Any], by: User, **columns: Any
) -> DeployDraft:
    """Keep what was typed, unchecked. A complete page that was only looked at stays complete."""
    draft = locked(draft.pk)
    known = page_values(draft, page)
    if is_complete(draft, page) and _says_the_same(known, values) and not columns:
        return draft
    draft.pages[page] = {"values": {**known, **values}, "open": open_reason(draft, page) or NOT_CHECKED}
    return _save(draft, page, by, columns)


@transaction.atomic
def discard_draft(*, draft: DeployDraft, by: User) -> None:
    check(by, Permission.DEPLOY_CLUSTERS, project=draft.project)
    _audit(draft, "discard-draft", by)
    draft.delete()


def locked(draft_id: UUID) -> DeployDraft:
    """Raise DeployDraft.DoesNotExist when somebody discarded it meanwhile."""
    return (
        DeployDraft.objects.select_for_update(of=("self",))
        # Not "cluster": one that was made while this waited for the lock is missing in a join.
        .select_related("project__tenant", "profile_version__profile")
        .get(pk=draft_id)
    )


def _says_the_same(known: Any, typed: Any) -> bool:
    """Whether what was typed says what the cleaned value says: "3" is 3, "a=b" is {"a": "b"}."""
    if isinstance(typed, Mapping) and isinstance(known, Mapping):
        return all(_says_the_same(known.get(name), value) for name, value in typed.items())
    if isinstance(typed, list) and isinstance(known, list):
        return len(typed) == len(known) and all(map(_says_the_same, known, typed))
    return _words(known) == _words(typed)


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = value.values() if "effect" in value else value.items()
        return "".join(_words(list(pair) if isinstance(pair, tuple) else pair) for pair in pairs)
    if isinstance(value, list):
        return "".join(_words(part) for part in value)
    return "" if value in (None, False) else _SEPARATORS.sub("", str(value))


def _save(draft: DeployDraft, page: str, by: User, columns: Mapping[str, Any]) -> DeployDraft:
    for name, value in columns.items():
        setattr(draft, name, value)
    draft.save()
    _audit(draft, "save-draft", by, page=page)
    return draft


def _audit(draft: DeployDraft, action: str, by: User, **detail: Any) -> None:
    audit.record(
        by=by,
        action=action,
        obj_kind="deploy-draft",
        obj_id=draft.pk,
        obj_name=draft_name(draft),
        tenant=draft.project.tenant,
        project=draft.project,
        **detail,
    )
