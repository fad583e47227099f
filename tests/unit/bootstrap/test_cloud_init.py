import base64
import json
from typing import Any

import pytest
import yaml

from palette_portal.bootstrap.cloud_init import metadata, user_data
from palette_portal.bootstrap.errors import TooLarge
from palette_portal.bootstrap.flannel import pod_network
from palette_portal.bootstrap.guestinfo import MAXIMUM_BYTES, blank_guestinfo, guestinfo
from palette_portal.bootstrap.nodes import Manifest, NodeRole, NodeSpec
from tests.unit.bootstrap.factories import (
    MACHINE,
    SSH_KEY,
    TOKEN,
    make_address,
    make_cluster,
    make_node,
    make_proxied_cluster,
)

ROLES = list(NodeRole)


def files(cluster: Any, node: NodeSpec) -> dict[str, str]:
    document = yaml.safe_load(user_data(cluster, node))
    return {item["path"]: item["content"] for item in document["write_files"]}


def phases(node: NodeSpec) -> list[str]:
    """As README.md tells a reader to find them."""
    commands = yaml.safe_load(user_data(make_cluster(), node))["runcmd"]
    reporters = ("/usr/local/sbin/palette-report", "/usr/local/sbin/palette-step")
    return [command[1] for command in commands if command[0] in reporters]


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (NodeRole.FIRST_CONTROL_PLANE, ["booted", "control-plane-ready", "packs-applied", "ready"]),
        (NodeRole.CONTROL_PLANE, ["booted", "joined", "ready"]),
        (NodeRole.WORKER, ["booted", "joined", "ready"]),
    ],
)
def test_reports_of_a_node_in_their_order(role: NodeRole, expected: list[str]) -> None:
    assert phases(make_node(role)) == expected


def test_report_target_of_a_node() -> None:
    target = json.loads(files(make_cluster(), make_node())["/etc/palette/report.json"])

    assert target == {
        "url": f"https://portal.example.com/v1/machines/{MACHINE}/reports",
        "machine": str(MACHINE),
        "token": TOKEN,
        "proxy": "",
        "no_proxy": "",
    }


@pytest.mark.parametrize("role", ROLES)
def test_files_with_secrets_are_for_root_only(role: NodeRole) -> None:
    document = yaml.safe_load(user_data(make_proxied_cluster(), make_node(role)))

    readable = [item for item in document["write_files"] if item["permissions"] != "0600"]

    for item in readable:
        assert not any(word in item["content"] for word in (TOKEN, "PRIVATE KEY", "p%40ss", "abcdef.0123"))


def test_worker_gets_no_private_key_and_no_virtual_ip() -> None:
    text = user_data(make_cluster(), make_node(NodeRole.WORKER))

    assert "PRIVATE KEY" not in text
    assert "kube-vip" not in text


def test_join_needs_only_what_the_portal_knows() -> None:
    cluster = make_cluster()

    join = yaml.safe_load(files(cluster, make_node(NodeRole.WORKER))["/run/kubeadm/kubeadm-join.yaml"])

    assert join["discovery"]["bootstrapToken"] == {
        "apiServerEndpoint": "10.10.0.20:6443",
        "token": "abcdef.0123456789abcdef",
        "caCertHashes": [cluster.pki.discovery_hash],
    }


@pytest.mark.parametrize(
    ("version", "api"),
    [("1.28.9", "v1beta3"), ("1.30.4", "v1beta3"), ("1.31.2", "v1beta4"), ("v1.33.0", "v1beta4")],
)
def test_kubeadm_api_follows_the_version(version: str, api: str) -> None:
    init = files(make_cluster(kubernetes_version=version), make_node())["/run/kubeadm/kubeadm.yaml"]

    kinds = [document["apiVersion"] for document in yaml.safe_load_all(init)]

    assert kinds == [f"kubeadm.k8s.io/{api}"] * 2 + ["kubelet.config.k8s.io/v1beta1"]


@pytest.mark.parametrize(
    ("version", "role", "expected"),
    [
        ("1.28.9", NodeRole.FIRST_CONTROL_PLANE, "admin.conf"),
        ("1.29.0", NodeRole.FIRST_CONTROL_PLANE, "super-admin.conf"),
        ("1.31.2", NodeRole.CONTROL_PLANE, "admin.conf"),
    ],
)
def test_kubeconfig_of_kube_vip(version: str, role: NodeRole, expected: str) -> None:
    text = files(make_cluster(kubernetes_version=version), make_node(role))[
        "/etc/kubernetes/manifests/kube-vip.yaml"
    ]

    volume = yaml.safe_load(text)["spec"]["volumes"][0]["hostPath"]

    assert volume == {"path": f"/etc/kubernetes/{expected}", "type": "File"}


@pytest.mark.parametrize(("endpoint", "expected"), [("10.10.0.20", "false"), ("api.gateway-1.lab", "true")])
def test_virtual_ip_behind_a_name_comes_from_dhcp(endpoint: str, expected: str) -> None:
    text = files(make_cluster(endpoint=endpoint), make_node())["/etc/kubernetes/manifests/kube-vip.yaml"]

    settings = {item["name"]: item["value"] for item in yaml.safe_load(text)["spec"]["containers"][0]["env"]}

    assert settings["vip_ddns"] == expected
    assert settings["address"] == endpoint


def test_manifests_only_on_the_first_node_and_in_order() -> None:
    cluster = make_cluster(manifests=(Manifest("cni", "b: 1\n"), Manifest("apps", "a: 1\n")))

    first, second = (files(cluster, make_node(role)) for role in ROLES[:2])

    paths = [path for path in first if path.startswith("/etc/palette/manifests/")]
    assert paths == ["/etc/palette/manifests/001-cni.yaml", "/etc/palette/manifests/002-apps.yaml"]
    assert not any("manifests/0" in path for path in second)


def test_proxy_excludes_what_must_never_use_it() -> None:
    content = files(make_proxied_cluster(), make_node())[
        "/etc/systemd/system/containerd.service.d/http-proxy.conf"
    ]

    (line,) = [line for line in content.splitlines() if "NO_PROXY" in line]
    excluded = line.split("=", 2)[2].rstrip('"').split(",")
    assert {"vcenter.example.com", "10.10.0.20", "192.168.0.0/16", "10.96.0.0/12", ".svc"} <= set(excluded)


@pytest.mark.parametrize(("cidr", "key"), [("10.20.0.0/16", "Network"), ("fd00:1::/56", "IPv6Network")])
def test_pod_network_uses_the_pod_cidr(cidr: str, key: str) -> None:
    documents = list(yaml.safe_load_all(pod_network(cidr).content))

    (configuration,) = [item for item in documents if item["kind"] == "ConfigMap"]

    assert json.loads(configuration["data"]["net-conf.json"])[key] == cidr


def test_pod_network_mounts_only_volumes_it_has() -> None:
    (daemon_set,) = [
        item
        for item in yaml.safe_load_all(pod_network("10.20.0.0/16").content)
        if item["kind"] == "DaemonSet"
    ]
    pod = daemon_set["spec"]["template"]["spec"]

    mounted = {
        mount["name"]
        for container in pod["initContainers"] + pod["containers"]
        for mount in container["volumeMounts"]
    }

    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_user_signs_in_with_the_keys_alone() -> None:
    document = yaml.safe_load(user_data(make_cluster(ssh_keys=(SSH_KEY,)), make_node()))

    (user,) = document["users"]
    assert user["name"] == "spectro"
    assert user["ssh_authorized_keys"] == [SSH_KEY]
    assert user["lock_passwd"] is True
    assert document["ssh_pwauth"] is False


def test_metadata_without_address_asks_dhcp_by_mac() -> None:
    interface = yaml.safe_load(metadata(make_node()))["network"]["ethernets"]["id0"]

    assert interface["dhcp4"] is True
    assert interface["dhcp-identifier"] == "mac"
    assert "addresses" not in interface


def test_guestinfo_is_base64_of_the_documents() -> None:
    values = guestinfo("instance-id: ä\n", "#cloud-config\n{}\n")

    assert set(values) == {
        "guestinfo.metadata",
        "guestinfo.metadata.encoding",
        "guestinfo.userdata",
        "guestinfo.userdata.encoding",
    }
    assert values["guestinfo.userdata.encoding"] == "base64"
    assert base64.b64decode(values["guestinfo.metadata"]).decode() == "instance-id: ä\n"


def test_guestinfo_without_packs_is_small() -> None:
    node = make_node(address=make_address())

    values = guestinfo(metadata(node), user_data(make_cluster(ssh_keys=(SSH_KEY,)), node))

    assert sum(len(value) for value in values.values()) < MAXIMUM_BYTES / 16


def test_guestinfo_of_a_large_cluster_stays_well_below_the_limit() -> None:
    cluster = make_proxied_cluster(
        ssh_keys=(SSH_KEY,) * 20, manifests=tuple(Manifest(f"pack-{n}", "a: b\n" * 1000) for n in range(10))
    )
    node = make_node(address=make_address())

    values = guestinfo(metadata(node), user_data(cluster, node))

    assert sum(len(value) for value in values.values()) < MAXIMUM_BYTES / 2


def test_guestinfo_that_is_too_large() -> None:
    with pytest.raises(TooLarge, match="524,288"):
        guestinfo("{}", "x" * MAXIMUM_BYTES)


def test_blanked_guestinfo_holds_nothing_of_the_node() -> None:
    values = blank_guestinfo()

    assert values.keys() <= guestinfo("", "").keys()
    assert yaml.safe_load(base64.b64decode(values["guestinfo.userdata"])) == {}
