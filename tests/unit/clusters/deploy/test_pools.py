"""What the buttons Add, Remove and Copy make of the pools that were typed."""

from typing import Any

import pytest
from django.http import QueryDict

from clusters.deploy.forms.pools import changed, worker_keys

MASTER = {
    "name": "master-pool",
    "instance_type": "large",
    "disk_gib": "80",
    "zones": [{"compute_cluster": "c1"}],
}


def pools(*names: str) -> dict[str, Any]:
    return {"master": MASTER, "workers": [{"name": name} for name in names]}


@pytest.mark.parametrize(
    ("deed", "expected"),
    [
        ("add-worker", ["a", "b", "worker-pool"]),
        ("remove-w1", ["b"]),
        ("remove-w9", ["a", "b"]),
        ("update", ["a", "b"]),
    ],
)
def test_pools_after_a_button(deed: str, expected: list[str]) -> None:
    after = changed(pools("a", "b"), deed, ["w1", "w2"])

    assert [worker["name"] for worker in after["workers"]] == expected


def test_added_pool_gets_a_free_name() -> None:
    after = changed(pools("worker-pool", "worker-pool-2"), "add-worker", ["w1", "w2"])

    assert after["workers"][2]["name"] == "worker-pool-3"


def test_copied_pool_keeps_its_name() -> None:
    after = changed(pools("a", "b"), "copy-w2", ["w1", "w2"])

    assert after["workers"][1] == {**MASTER, "name": "b"}
    assert after["workers"][0] == {"name": "a"}


def test_keys_of_workers_are_only_keys() -> None:
    assert worker_keys(QueryDict("workers=w1,w2,w1,x,w,w-1,<script>")) == ["w1", "w2"]
