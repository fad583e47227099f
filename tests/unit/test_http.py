import pytest
from django.test import RequestFactory

from palette_portal.http import is_partial


@pytest.mark.parametrize(
    ("headers", "wants_part"),
    [
        ({}, False),
        ({"HX-Request": "true"}, True),
        ({"HX-Request": "true", "HX-Boosted": "true"}, False),
        ({"HX-Request": "true", "HX-History-Restore-Request": "true"}, False),
    ],
    ids=["browser", "htmx", "boosted link", "history"],
)
def test_part_is_wanted_by_htmx_only(headers: dict[str, str], wants_part: bool) -> None:
    assert is_partial(RequestFactory().get("/", headers=headers)) is wants_part
