from typing import Any

import pytest

from clusters.deploy.drafts import _says_the_same


@pytest.mark.parametrize(
    ("known", "typed"),
    [
        (3, "3"),
        (None, ""),
        (False, ""),
        (["env:prod", "critical"], "env:prod, critical"),
        ({"tier": "web"}, "tier=web"),
        ([{"key": "a", "value": "b", "effect": "NoSchedule"}], "a=b:NoSchedule"),
        ({"name": "x", "more": 1}, {"name": "x"}),
        ([{"compute_cluster": "domain-c1", "names": {}}], [{"compute_cluster": "domain-c1"}]),
    ],
)
def test_value_typed_says_what_is_known(known: Any, typed: Any) -> None:
    assert _says_the_same(known, typed)


@pytest.mark.parametrize(
    ("known", "typed"),
    [
        (3, "5"),
        (True, False),
        (["a"], "b"),
        ([{"name": "a"}], [{"name": "a"}, {"name": "b"}]),
        ({"name": "x"}, {"name": "y"}),
        ({}, {"name": "y"}),
    ],
)
def test_value_typed_says_something_else(known: Any, typed: Any) -> None:
    assert not _says_the_same(known, typed)
