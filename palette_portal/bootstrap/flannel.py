"""The pod network when no profile brings one: flannel, routed on one network and VXLAN beyond it."""

import json
from typing import Any

from palette_portal.bootstrap.nodes import Manifest
from palette_portal.bootstrap.text import dump_documents

FLANNEL_IMAGE = "ghcr.io/flannel-io/flannel:v0.26.4"
PLUGIN_IMAGE = "ghcr.io/flannel-io/flannel-cni-plugin:v1.6.2-flannel1"

Document = dict[str, Any]

_NAME = "kube-flannel"
_LABELS = {"app": "flannel"}


def pod_network(pod_cidr: str) -> Manifest:
    return Manifest(
        "flannel",
        dump_documents(
            _namespace(),
            _object("v1", "ServiceAccount", "flannel", namespaced=True),
            _cluster_role(),
            _cluster_role_binding(),
            _configuration(pod_cidr),
            _daemon_set(),
        ),
    )


def _object(api_version: str, kind: str, name: str, *, namespaced: bool = False) -> Document:
    metadata: Document = {"name": name, "labels": _LABELS}
    if namespaced:
        metadata["namespace"] = _NAME
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _namespace() -> Document:
    namespace = _object("v1", "Namespace", _NAME)
    namespace["metadata"]["labels"] = _LABELS | {"pod-security.kubernetes.io/enforce": "privileged"}
    return namespace


def _cluster_role() -> Document:
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
    ]
    return _object("rbac.authorization.k8s.io/v1", "ClusterRole", "flannel") | {"rules": rules}


def _cluster_role_binding() -> Document:
    return _object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "flannel") | {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "flannel"},
        "subjects": [{"kind": "ServiceAccount", "name": "flannel", "namespace": _NAME}],
    }


def _configuration(pod_cidr: str) -> Document:
    family = {"EnableIPv4": False, "EnableIPv6": True, "IPv6Network": pod_cidr}
    network = family if ":" in pod_cidr else {"Network": pod_cidr}
    plugins = [
        {"type": "flannel", "delegate": {"hairpinMode": True, "isDefaultGateway": True}},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return _object("v1", "ConfigMap", "flannel", namespaced=True) | {
        "data": {
            "cni-conf.json": json.dumps({"name": "cbr0", "cniVersion": "1.0.0", "plugins": plugins}),
            "net-conf.json": json.dumps(network | {"Backend": {"Type": "vxlan", "DirectRouting": True}}),
        }
    }


def _daemon_set() -> Document:
    return _object("apps/v1", "DaemonSet", _NAME, namespaced=True) | {
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": _pod()},
        }
    }


def _pod() -> Document:
    paths = {
        "run": "/run/flannel",
        "cni": "/etc/cni/net.d",
        "plugins": "/opt/cni/bin",
        "lock": "/run/xtables.lock",
    }
    volumes: list[Document] = [{"name": name, "hostPath": {"path": path}} for name, path in paths.items()]
    volumes[-1]["hostPath"]["type"] = "FileOrCreate"
    return {
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "serviceAccountName": "flannel",
        # A node has no network before this pod runs, so its not-ready taint must not keep the pod away.
        "tolerations": [{"operator": "Exists"}],
        "initContainers": [
            _copy(
                "install-plugin",
                PLUGIN_IMAGE,
                "/flannel",
                "/opt/cni/bin/flannel",
                {"plugins": "/opt/cni/bin"},
            ),
            _copy(
                "install-configuration",
                FLANNEL_IMAGE,
                "/etc/kube-flannel/cni-conf.json",
                "/etc/cni/net.d/10-flannel.conflist",
                {"cni": "/etc/cni/net.d", "configuration": "/etc/kube-flannel"},
            ),
        ],
        "containers": [_daemon()],
        "volumes": [*volumes, {"name": "configuration", "configMap": {"name": "flannel"}}],
    }


def _copy(name: str, image: str, source: str, target: str, mounts: dict[str, str]) -> Document:
    return {
        "name": name,
        "image": image,
        "command": ["cp", "-f", source, target],
        "volumeMounts": _mounts(mounts),
    }


def _daemon() -> Document:
    fields = {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"}
    return {
        "name": "flannel",
        "image": FLANNEL_IMAGE,
        "command": ["/opt/bin/flanneld", "--ip-masq", "--kube-subnet-mgr"],
        "env": [
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "50Mi"}},
        "securityContext": {"privileged": False, "capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
        "volumeMounts": _mounts(
            {"run": "/run/flannel", "configuration": "/etc/kube-flannel", "lock": "/run/xtables.lock"}
        ),
    }


def _mounts(mounts: dict[str, str]) -> list[Document]:
    return [{"name": name, "mountPath": path} for name, path in mounts.items()]
