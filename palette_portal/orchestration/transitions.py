"""State machines as data: an object's state changes only along its table, and only if nobody was faster."""

from collections.abc import Mapping
from typing import Any

from django.db import models

from palette_portal.http import Conflict

Transitions = Mapping[str, frozenset[str]]


class StateChanged(Conflict):
    """Somebody else moved the object first, or the table has no such way."""

    def __init__(self, instance: models.Model, new_state: str) -> None:
        self.instance = instance
        super().__init__(f"{instance} cannot become {new_state}: it is {getattr(instance, 'state', 'gone')}.")


def move(instance: models.Model, table: Transitions, new_state: str, **changes: Any) -> None:
    """Move `instance` with one UPDATE that repeats the old state; raise StateChanged otherwise."""
    old_state = getattr(instance, "state")  # noqa: B009 - any model with a state
    if new_state not in table.get(old_state, frozenset()):
        raise StateChanged(instance, new_state)
    rows = type(instance)._default_manager.filter(pk=instance.pk, state=old_state)
    if not rows.update(state=new_state, **changes):
        instance.refresh_from_db(fields=["state"])
        raise StateChanged(instance, new_state)
    for name, value in {"state": new_state, **changes}.items():
        setattr(instance, name, value)
