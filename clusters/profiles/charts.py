"""A Helm chart as a manifest: a job in the cluster runs Helm, so neither portal nor node needs it."""

import hashlib
from typing import Any

from clusters.profiles.packs import Chart
from palette_portal.bootstrap.nodes import Manifest
from palette_portal.bootstrap.text import dump_documents

HELM_IMAGE = "docker.io/alpine/helm:3.17.2"

Document = dict[str, Any]

_NAMESPACE = "kube-system"
_VALUES = "/values"


def chart_manifest(name: str, chart: Chart, values: Document) -> Manifest:
    """Applied again with other values it makes another job, which upgrades the release."""
    text = dump_documents(values)
    mark = hashlib.sha256(f"{chart.version}\n{text}".encode()).hexdigest()[:10]
    job = f"install-{name}-{mark}"
    account = f"install-{name}"
    return Manifest(
        name,
        dump_documents(
            _object("v1", "ServiceAccount", account, {}),
            _object(
                "rbac.authorization.k8s.io/v1",
                "ClusterRoleBinding",
                account,
                {
                    "roleRef": {
                        "apiGroup": "rbac.authorization.k8s.io",
                        "kind": "ClusterRole",
                        "name": "cluster-admin",
                    },
                    "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": _NAMESPACE}],
                },
            ),
            _object("v1", "Secret", job, {"stringData": {"values.yaml": text}}),
            _object("batch/v1", "Job", job, {"spec": _job(name, chart, account, job)}),
        ),
    )


def _object(api_version: str, kind: str, name: str, content: Document) -> Document:
    metadata = {"name": name} if kind.startswith("Cluster") else {"name": name, "namespace": _NAMESPACE}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _job(name: str, chart: Chart, account: str, secret: str) -> Document:
    return {
        "backoffLimit": 20,
        "template": {
            "spec": {
                # Runs before there is a pod network, on the only node there is.
                "hostNetwork": True,
                "dnsPolicy": "Default",
                "restartPolicy": "OnFailure",
                "serviceAccountName": account,
                "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
                "tolerations": [{"operator": "Exists"}],
                "containers": [_container(name, chart)],
                "volumes": [{"name": "values", "secret": {"secretName": secret}}],
            }
        },
    }


def _container(name: str, chart: Chart) -> Document:
    return {
        "name": "helm",
        "image": HELM_IMAGE,
        "args": [
            *("upgrade", "--install", name, chart.name),
            *("--repo", chart.repository, "--version", chart.version),
            *("--namespace", chart.namespace, "--create-namespace"),
            *("--values", f"{_VALUES}/values.yaml"),
        ],
        # The service network may need what the chart installs; the node's own API server does not.
        "env": [
            {"name": "KUBERNETES_SERVICE_HOST", "value": "127.0.0.1"},
            {"name": "KUBERNETES_SERVICE_PORT", "value": "6443"},
            {"name": "HELM_CACHE_HOME", "value": "/tmp/helm"},
        ],
        "volumeMounts": [{"name": "values", "mountPath": _VALUES, "readOnly": True}],
    }
