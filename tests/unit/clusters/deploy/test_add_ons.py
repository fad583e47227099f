import pytest
from django.http import QueryDict

from clusters.deploy.add_ons import sent_add_ons


def sent(then: str = "", *ids: str, more: str = "") -> list[str]:
    data = QueryDict(mutable=True)
    data.setlist("add_on", list(ids))
    data["more"], data["then"] = more, then
    return sent_add_ons(data)


@pytest.mark.parametrize(
    ("then", "found"),
    [
        ("continue", ["a", "b", "c"]),
        ("up-1", ["b", "a", "c"]),
        ("up-0", ["a", "b", "c"]),
        ("down-1", ["a", "c", "b"]),
        ("down-2", ["a", "b", "c"]),
        ("detach-0", ["b", "c"]),
        ("detach-2", ["a", "b"]),
        ("detach-9", ["a", "b", "c"]),
        ("detach-", ["a", "b", "c"]),
        ("detach-²", ["a", "b", "c"]),
        ("reset-1", ["a", "b", "c"]),
    ],
)
def test_buttons_change_the_list(then: str, found: list[str]) -> None:
    assert sent(then, "a", "b", "c") == found


def test_one_more_comes_last() -> None:
    assert sent("attach", "a", more="b") == ["a", "b"]


def test_one_that_was_selected_counts_without_pressing_attach() -> None:
    assert sent("continue", "a", more="b") == ["a", "b"]


def test_nothing_selected_adds_nothing() -> None:
    assert sent("attach") == []
