"""One cluster and its nodes with fixed keys, so that documents are the same in every run."""

from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from palette_portal.bootstrap.nodes import (
    ClusterSpec,
    Manifest,
    ManifestUrl,
    NodeRole,
    NodeSpec,
    Proxy,
    ReportTarget,
    StaticAddress,
)
from palette_portal.bootstrap.pki import ClusterPKI, load_pki
from palette_portal.bootstrap.secret import Secret

GOLDEN = Path(__file__).parents[2] / "golden" / "bootstrap"
MACHINE = UUID("11111111-2222-4333-8444-555555555555")
TOKEN = "machine-token-that-nobody-may-see"
SSH_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBfK9Zb0n2yPJp6N9k0tYx3o2i5Q3WbZb8r9s2L1vQ7c amelia@example.com"
)


@cache
def fixed_pki() -> ClusterPKI:
    return load_pki((GOLDEN / "pki.json").read_text())


def make_node(role: NodeRole = NodeRole.FIRST_CONTROL_PLANE, **changes: Any) -> NodeSpec:
    report = ReportTarget.at_portal("https://portal.example.com", machine=MACHINE, token=Secret(TOKEN))
    defaults: dict[str, Any] = {"machine": MACHINE, "name": "gateway-1-cp-0", "role": role, "report": report}
    return NodeSpec(**defaults | changes)


def make_address(**changes: Any) -> StaticAddress:
    defaults: dict[str, Any] = {
        "address": "10.10.0.21",
        "prefix": 24,
        "gateway": "10.10.0.1",
        "nameservers": ("10.10.0.2", "10.10.0.3"),
    }
    return StaticAddress(**defaults | changes)


def make_cluster(**changes: Any) -> ClusterSpec:
    defaults: dict[str, Any] = {
        "name": "gateway-1",
        "kubernetes_version": "1.31.2",
        "endpoint": "10.10.0.20",
        "pki": fixed_pki(),
        "bootstrap_token": Secret("abcdef.0123456789abcdef"),
    }
    return ClusterSpec(**defaults | changes)


def make_proxied_cluster(**changes: Any) -> ClusterSpec:
    """Everything a cluster can carry at once."""
    defaults: dict[str, Any] = {
        "ssh_keys": (SSH_KEY,),
        "ntp_servers": ("0.pool.example.com", "10.10.0.4"),
        "proxy": Proxy(
            "http://bao:p%40ss@proxy:3128", "http://bao:p%40ss@proxy:3129", "vcenter.example.com, .lab"
        ),
        "trusted_certificates": (fixed_pki().etcd.certificate_pem,),
        "manifests": (
            Manifest("namespaces", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: palette\n"),
            ManifestUrl("calico", "https://manifests.example.com/v3.30/calico.yaml"),
        ),
        "kubeadm": {
            "ClusterConfiguration": {
                "apiServer": {"extraArgs": {"profiling": "false"}, "certSANs": ["api.example.com"]},
                "controllerManager": {"extraArgs": {"profiling": "false", "cloud-provider": "none"}},
            },
            "KubeletConfiguration": {"serializeImagePulls": False, "cgroupDriver": "cgroupfs"},
        },
        "workloads_on_control_plane": True,
        "external_cloud_provider": True,
    }
    return make_cluster(**defaults | changes)
