import pytest

from clusters.keyset import Cursor


@pytest.mark.parametrize(
    "values", [("Running", "x"), ('ümlaut "quoted"', "y"), ("", "z"), ("2026-11-22T12:00:00+00:00",)]
)
@pytest.mark.parametrize("backwards", [False, True])
def test_cursor_comes_back_as_it_was(values: tuple[str, ...], backwards: bool) -> None:
    cursor = Cursor(values, backwards)

    assert Cursor.decode(cursor.encode()) == cursor
    assert cursor.encode().replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "text", ["", "x", "é", "bnVsbA", "WzFd", "W10", "WzAsMV0", "eyJhIjoxfQ", "WzAsIlx1MDAwMCJd"]
)
def test_text_that_is_no_cursor_is_none(text: str) -> None:
    assert Cursor.decode(text) is None
