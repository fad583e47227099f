"""The static pod that holds the virtual IP of the API server on one of the control plane nodes."""

from palette_portal.bootstrap.nodes import ClusterSpec, NodeSpec
from palette_portal.bootstrap.text import dump_documents

MANIFEST_PATH = "/etc/kubernetes/manifests/kube-vip.yaml"


def manifest(cluster: ClusterSpec, node: NodeSpec) -> str:
    kubeconfig = f"/etc/kubernetes/{_kubeconfig_name(cluster, node)}"
    return dump_documents(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "kube-vip", "namespace": "kube-system"},
            "spec": {
                "containers": [
                    {
                        "name": "kube-vip",
                        "image": cluster.kube_vip_image,
                        "imagePullPolicy": "IfNotPresent",
                        "args": ["manager"],
                        "env": [{"name": name, "value": value} for name, value in _settings(cluster).items()],
                        "securityContext": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
                        "volumeMounts": [{"name": "kubeconfig", "mountPath": "/etc/kubernetes/admin.conf"}],
                    }
                ],
                # kube-vip talks to the API server of its own node under the name `kubernetes`.
                "hostAliases": [{"ip": "127.0.0.1", "hostnames": ["kubernetes"]}],
                "hostNetwork": True,
                "priorityClassName": "system-node-critical",
                "volumes": [{"name": "kubeconfig", "hostPath": {"path": kubeconfig, "type": "File"}}],
            },
        }
    )


def _kubeconfig_name(cluster: ClusterSpec, node: NodeSpec) -> str:
    """From 1.29 on admin.conf has no rights until the end of `kubeadm init`, which waits for the VIP."""
    return "super-admin.conf" if node.is_first and cluster.version >= (1, 29) else "admin.conf"


def _settings(cluster: ClusterSpec) -> dict[str, str]:
    prefix = "128" if ":" in cluster.endpoint else "32"
    return {
        "address": cluster.endpoint,
        "port": "6443",
        "vip_arp": "true",
        # Older releases read the one name, newer the other.
        "vip_cidr": prefix,
        "vip_subnet": prefix,
        "vip_ddns": "false" if cluster.endpoint_is_address else "true",
        "cp_enable": "true",
        "cp_namespace": "kube-system",
        "svc_enable": "false",
        "vip_leaderelection": "true",
        "vip_leasename": "plndr-cp-lock",
        "vip_leaseduration": "15",
        "vip_renewdeadline": "10",
        "vip_retryperiod": "2",
    }
