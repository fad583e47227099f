"""What nodes are told to do, as text."""

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import yaml

from palette_portal.bootstrap.errors import BootstrapError
from palette_portal.bootstrap.instructions import check_instruction, instruction_text

IDENTITY = UUID("11111111-2222-4333-8444-555555555555")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOKEN = "abcdef.0123456789abcdef"


def lines(kind: str, **arguments: Any) -> list[tuple[str, str]]:
    text = instruction_text(IDENTITY, kind, arguments, now=NOW)
    head, found = text.splitlines()[:2], text.splitlines()[2:]
    assert head == [f"id={IDENTITY}", f"kind={kind}"]
    pairs = (line.partition("=") for line in found)
    return [(name, base64.b64decode(value, validate=True).decode()) for name, _, value in pairs]


def test_node_is_removed_by_name_and_by_its_address_in_etcd() -> None:
    assert lines("remove-node", name="gw-cp-1", address="10.0.0.5") == [
        ("name", "gw-cp-1"),
        ("peer", "https://10.0.0.5:2380"),
    ]


def test_address_with_colons_stands_in_brackets() -> None:
    assert ("peer", "https://[fd00::5]:2380") in lines("remove-node", name="gw-cp-1", address="fd00::5")


def test_node_without_an_address_is_found_by_name() -> None:
    assert lines("remove-node", name="gw-cp-1", address=None) == [("name", "gw-cp-1")]


def test_join_token_is_a_secret_that_ends_after_a_day() -> None:
    ((name, content),) = lines("create-join-token", token=TOKEN)

    secret = yaml.safe_load(content)
    assert (name, secret["kind"], secret["metadata"]["name"]) == (
        "manifest",
        "Secret",
        "bootstrap-token-abcdef",
    )
    assert secret["stringData"]["token-secret"] == "0123456789abcdef"
    assert secret["stringData"]["expiration"] == "2026-11-23T12:00:00Z"


def test_version_is_written_as_kubeadm_does() -> None:
    assert lines("set-kubernetes-version", version="1.32.0") == [("version", "v1.32.0")]


def test_version_of_what_runs_on_all_nodes() -> None:
    assert lines("set-kubernetes-version", version="v1.32.0", addons=True)[1:] == [("addons", "yes")]


def test_manifests_keep_their_order_and_every_character() -> None:
    content = "a: 'é $(reboot) `id`'\n"
    manifests = [{"name": "b", "content": "b: 1\n"}, {"name": "a", "content": content}]

    assert lines("apply-manifests", manifests=manifests) == [("manifest", "b: 1\n"), ("manifest", content)]


def test_labels_and_taints_as_kubectl_takes_them() -> None:
    found = lines(
        "change-node",
        name="w-1",
        labels={"team": "red", "example.com/old": None},
        taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}],
        removed_taints=[{"key": "old", "effect": "NoExecute"}],
    )

    assert found == [
        ("name", "w-1"),
        ("label", "team=red"),
        ("label", "example.com/old-"),
        ("removed-taint", "old:NoExecute-"),
        ("taint", "gpu=yes:NoSchedule"),
    ]


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("remove-node", {"name": "a; reboot"}),
        ("remove-node", {"name": "--all"}),
        ("remove-node", {"name": "a", "address": "not an address"}),
        ("create-join-token", {"token": "too-short"}),
        ("set-kubernetes-version", {"version": "1.31.2/e; s/a/b"}),
        ("apply-manifests", {"manifests": [{"name": "../x", "content": ""}]}),
        ("change-node", {"name": "w-1", "labels": {"a b": "c"}}),
        ("change-node", {"name": "w-1", "labels": {"a": "c d"}}),
        ("change-node", {"name": "w-1", "taints": [{"key": "a", "value": "", "effect": "Never"}]}),
        ("reboot", {}),
    ],
)
def test_instruction_that_a_node_could_not_use_is_refused(kind: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(BootstrapError):
        check_instruction(kind, arguments)
