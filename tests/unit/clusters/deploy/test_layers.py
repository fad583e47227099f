from types import SimpleNamespace
from typing import Any

from clusters.deploy.layers import ChangedLayer, DiffLine
from clusters.profiles.packs import find_pack


def changed(text: str, *, values: str = "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6\ng: 7\n") -> ChangedLayer:
    layer: Any = SimpleNamespace(pack="kubernetes", values=values, kind="kubernetes")
    return ChangedLayer(layer, find_pack("kubernetes", "1.36.4"), text)


def test_text_with_other_line_ends_is_unchanged() -> None:
    assert not changed("a: 1\n", values="a: 1\r\n").is_changed


def test_layer_without_values_is_compared_with_the_pack() -> None:
    assert "podCidr: 192.168.0.0/16" in changed("", values="").original


def test_difference_names_lines_with_a_little_around_them() -> None:
    found = changed("a: 1\nb: 2\nc: 3\nd: 5\ne: 5\nf: 6\ng: 7\n")

    assert found.is_changed
    assert found.diff == [
        DiffLine("gap", ""),
        DiffLine("same", "b: 2"),
        DiffLine("same", "c: 3"),
        DiffLine("remove", "d: 4"),
        DiffLine("add", "d: 5"),
        DiffLine("same", "e: 5"),
        DiffLine("same", "f: 6"),
    ]
