from uuid import uuid4

import pytest

from palette_portal.orchestration.changes import Change


@pytest.mark.parametrize("more", [{}, {"event_number": 7}, {"step_id": uuid4()}])
def test_change_survives_the_wire(more):
    change = Change(uuid4(), "cluster", uuid4(), **more)

    assert Change.from_json(change.to_json()) == change


def test_change_carries_only_ids():
    text = Change(uuid4(), "cluster", uuid4(), event_number=10**12, step_id=uuid4()).to_json()

    assert len(text) < 250
