from typing import Any

import pytest

from palette_portal.bootstrap.errors import BootstrapError
from palette_portal.bootstrap.nodes import Manifest, NodeRole, Proxy, ReportTarget
from palette_portal.bootstrap.secret import Secret
from tests.unit.bootstrap.factories import MACHINE, TOKEN, make_address, make_cluster, make_node


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "Gateway_1"}, "cluster name"),
        ({"kubernetes_version": "1.31"}, "Kubernetes version"),
        ({"endpoint": "vip;reboot"}, "endpoint"),
        ({"bootstrap_token": Secret("short")}, "bootstrap token"),
        ({"pod_cidr": "10.96.0.0/16"}, "overlap"),
        ({"service_cidr": "10.96.0.1/12"}, "host bits"),
    ],
)
def test_cluster_that_cannot_be_built(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BootstrapError, match=sentence):
        make_cluster(**changes)


@pytest.mark.parametrize("changes", [{"name": "Node_1"}, {"name": "a" * 64}, {"mac_address": "00:50:56"}])
def test_node_that_cannot_be_built(changes: dict[str, Any]) -> None:
    with pytest.raises(BootstrapError):
        make_node(**changes)


@pytest.mark.parametrize("changes", [{"address": "10.10.0.300"}, {"prefix": 33}, {"nameservers": ("dns",)}])
def test_static_address_that_cannot_be_used(changes: dict[str, Any]) -> None:
    with pytest.raises(BootstrapError):
        make_address(**changes)


@pytest.mark.parametrize("value", ['http://a"b:1', "http://a\nb:1", "http://a b:1", "http://a\\b:1"])
def test_proxy_that_could_leave_its_quotes(value: str) -> None:
    with pytest.raises(BootstrapError):
        Proxy(value, value)


def test_proxy_list_with_something_that_could_leave_its_quotes() -> None:
    with pytest.raises(BootstrapError):
        Proxy("http://proxy:1", "http://proxy:1", 'vcenter, a"b')


def test_manifest_name_that_could_leave_its_folder() -> None:
    with pytest.raises(BootstrapError):
        Manifest("../cni", "")


def test_report_target_at_the_portal() -> None:
    target = ReportTarget.at_portal("https://portal.example.com/", machine=MACHINE, token=Secret(TOKEN))

    assert target.url == f"https://portal.example.com/v1/machines/{MACHINE}/reports"


def test_secrets_are_not_in_repr() -> None:
    shown = repr(make_node()) + repr(make_cluster()) + repr(Proxy("http://u:word@p:1", "http://u:word@p:1"))

    assert TOKEN not in shown
    assert "abcdef.0123456789abcdef" not in shown
    assert "word" not in shown


def test_api_server_of_an_ipv6_address_and_of_a_name() -> None:
    assert make_cluster(endpoint="fd00::20").api_server == "[fd00::20]:6443"
    assert make_cluster(endpoint="api.gateway-1.lab").api_server == "api.gateway-1.lab:6443"


@pytest.mark.parametrize(
    ("role", "is_first", "is_control_plane"),
    [
        (NodeRole.FIRST_CONTROL_PLANE, True, True),
        (NodeRole.CONTROL_PLANE, False, True),
        (NodeRole.WORKER, False, False),
    ],
)
def test_node_roles(role: NodeRole, is_first: bool, is_control_plane: bool) -> None:
    node = make_node(role)

    assert (node.is_first, node.is_control_plane) == (is_first, is_control_plane)
