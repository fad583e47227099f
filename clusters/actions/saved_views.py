"""A person's own saved views of the cluster list."""

from django.db import IntegrityError, transaction

from clusters.models import SavedView
from palette_portal.http import Conflict
from palette_portal.tenants.audit import record
from palette_portal.tenants.models import User

VIEWS_PER_PERSON = 50
LONGEST_NAME = 63
LONGEST_QUERY = 1000


class ViewNameRefused(Conflict):
    """The name is empty, too long or taken; `reason` is the sentence for the field."""


@transaction.atomic
def save_view(*, name: str, query: str, by: User) -> SavedView:
    """Raise ViewNameRefused, or Conflict when there are too many."""
    name = name.strip()
    _check_name(name)
    if by.saved_views.count() >= VIEWS_PER_PERSON:
        raise Conflict(f"You have {VIEWS_PER_PERSON} saved views. Delete one first.")
    assert by.tenant is not None
    try:
        with transaction.atomic():
            view = SavedView.objects.create(tenant=by.tenant, user=by, name=name, query=query[:LONGEST_QUERY])
    except IntegrityError:
        raise ViewNameRefused(f"You have a view called {name} already.") from None
    _record(view, "save", by)
    return view


@transaction.atomic
def delete_view(*, view: SavedView, by: User) -> None:
    _record(view, "delete", by)
    view.delete()


def _check_name(name: str) -> None:
    if not name or not name.isprintable():
        raise ViewNameRefused("Give the view a name.")
    if len(name) > LONGEST_NAME:
        raise ViewNameRefused(f"A name has at most {LONGEST_NAME} characters.")


def _record(view: SavedView, action: str, by: User) -> None:
    record(
        by=by,
        action=action,
        obj_kind="saved-view",
        obj_id=view.pk,
        obj_name=view.name,
        tenant=view.tenant,
    )
