"""kubeadm's configuration for the three ways a node comes into a cluster."""

from collections.abc import Mapping
from typing import Any

from palette_portal.bootstrap.nodes import ClusterSpec, NodeSpec, Taint
from palette_portal.bootstrap.text import dump_documents

Document = dict[str, Any]

CRI_SOCKET = "unix:///run/containerd/containerd.sock"
DISCOVERY_TIMEOUT = "20m0s"
CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


def init_configuration(cluster: ClusterSpec, node: NodeSpec) -> str:
    return dump_documents(_init(cluster, node), _cluster(cluster), _kubelet(cluster))


def join_configuration(cluster: ClusterSpec, node: NodeSpec) -> str:
    document: Document = {
        "apiVersion": _api_version(cluster),
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": cluster.api_server,
                "token": cluster.bootstrap_token.reveal(),
                "caCertHashes": [cluster.pki.discovery_hash],
            }
        },
        "nodeRegistration": _registration(cluster, node),
    }
    if _has_v1beta4(cluster):
        document["timeouts"] = {"discovery": DISCOVERY_TIMEOUT}
    else:
        document["discovery"]["timeout"] = DISCOVERY_TIMEOUT
    if node.is_control_plane:
        document["controlPlane"] = _local_endpoint(node)
    return dump_documents(document)


def pki_files(cluster: ClusterSpec) -> dict[str, str]:
    """Every control plane node gets the authorities, so joining needs no upload between nodes."""
    pki = cluster.pki
    authorities = {"ca": pki.cluster, "front-proxy-ca": pki.front_proxy, "etcd/ca": pki.etcd}
    files = {}
    for name, authority in authorities.items():
        files[f"/etc/kubernetes/pki/{name}.crt"] = authority.certificate_pem
        files[f"/etc/kubernetes/pki/{name}.key"] = authority.private_key.reveal()
    files["/etc/kubernetes/pki/sa.pub"] = pki.service_account.public_key_pem
    files["/etc/kubernetes/pki/sa.key"] = pki.service_account.private_key.reveal()
    return files


def _has_v1beta4(cluster: ClusterSpec) -> bool:
    return cluster.version >= (1, 31)


def _api_version(cluster: ClusterSpec) -> str:
    return f"kubeadm.k8s.io/{'v1beta4' if _has_v1beta4(cluster) else 'v1beta3'}"


def _init(cluster: ClusterSpec, node: NodeSpec) -> Document:
    return {
        "apiVersion": _api_version(cluster),
        "kind": "InitConfiguration",
        "bootstrapTokens": [
            {
                "token": cluster.bootstrap_token.reveal(),
                "ttl": f"{cluster.bootstrap_token_hours}h0m0s",
                "usages": ["signing", "authentication"],
                "groups": ["system:bootstrappers:kubeadm:default-node-token"],
            }
        ],
        "nodeRegistration": _registration(cluster, node),
        **_local_endpoint(node),
    }


def _cluster(cluster: ClusterSpec) -> Document:
    own: Document = {
        "apiVersion": _api_version(cluster),
        "kind": "ClusterConfiguration",
        "clusterName": cluster.name,
        "kubernetesVersion": f"v{cluster.kubernetes_version.removeprefix('v')}",
        "controlPlaneEndpoint": cluster.api_server,
        "networking": {"podSubnet": cluster.pod_cidr, "serviceSubnet": cluster.service_cidr},
        "apiServer": {"certSANs": [cluster.endpoint]},
        "controllerManager": {"extraArgs": _cloud_provider(cluster)},
    }
    # The certificates kubeadm issues are of the same kind as the authorities it gets from us.
    if _has_v1beta4(cluster):
        own["encryptionAlgorithm"] = "ECDSA-P256"
    else:
        own["featureGates"] = {"PublicKeysECDSA": True}
    return _with_arguments(cluster, _merged(own, cluster.kubeadm.get("ClusterConfiguration", {})))


def _kubelet(cluster: ClusterSpec) -> Document:
    own = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
    }
    return _merged(own, cluster.kubeadm.get("KubeletConfiguration", {}))


def _merged(own: Mapping[str, Any], added: Mapping[str, Any]) -> Document:
    """Lists one after the other; where both have a value, the cluster needs its own."""
    merged = dict(own)
    for key, value in added.items():
        mine = own.get(key)
        if isinstance(mine, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(mine, value)
        elif isinstance(mine, list) and isinstance(value, list):
            merged[key] = [*mine, *(entry for entry in value if entry not in mine)]
        elif key not in own:
            merged[key] = value
    return merged


def _with_arguments(cluster: ClusterSpec, document: Mapping[str, Any]) -> Document:
    """Each extraArgs as this version of kubeadm writes them."""
    return {
        key: _arguments(cluster, value)
        if key == "extraArgs"
        else _with_arguments(cluster, value)
        if isinstance(value, Mapping)
        else value
        for key, value in document.items()
    }


def _registration(cluster: ClusterSpec, node: NodeSpec) -> Document:
    arguments = _cloud_provider(cluster)
    if node.address:
        arguments["node-ip"] = node.address.address
    if node.labels:
        arguments["node-labels"] = ",".join(f"{key}={value}" for key, value in sorted(node.labels.items()))
    registration: Document = {"name": node.name, "criSocket": CRI_SOCKET}
    if arguments:
        registration["kubeletExtraArgs"] = _arguments(cluster, arguments)
    taints = [_taint(taint) for taint in node.taints]
    if node.is_control_plane and cluster.workloads_on_control_plane:
        registration["taints"] = taints
    elif taints:
        # Naming any replaces kubeadm's own one.
        registration["taints"] = [*([CONTROL_PLANE_TAINT] if node.is_control_plane else ()), *taints]
    return registration


def _taint(taint: Taint) -> dict[str, str]:
    named = {"key": taint.key, "effect": str(taint.effect)}
    return named | ({"value": taint.value} if taint.value else {})


def _cloud_provider(cluster: ClusterSpec) -> dict[str, str]:
    return {"cloud-provider": "external"} if cluster.external_cloud_provider else {}


def _local_endpoint(node: NodeSpec) -> Document:
    endpoint: Document = {"bindPort": 6443}
    if node.address:
        endpoint["advertiseAddress"] = node.address.address
    return {"localAPIEndpoint": endpoint}


def _arguments(cluster: ClusterSpec, arguments: Mapping[str, str]) -> list[dict[str, str]] | dict[str, str]:
    if _has_v1beta4(cluster):
        return [{"name": name, "value": value} for name, value in arguments.items()]
    return dict(arguments)
