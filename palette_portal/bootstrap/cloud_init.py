"""The two documents cloud-init reads on a new node: metadata (name, network) and user-data (what to do)."""

from typing import Any

from palette_portal.bootstrap import kube_vip, kubeadm
from palette_portal.bootstrap.nodes import ClusterSpec, Manifest, ManifestUrl, NodeSpec, Proxy
from palette_portal.bootstrap.text import dump_documents, dump_json, guest_file

NODE_USER = "spectro"
REPORT_TARGET_PATH = "/etc/palette/report.json"
REPORT_COMMAND = "/usr/local/sbin/palette-report"
STEP_COMMAND = "/usr/local/sbin/palette-step"
INIT_CONFIGURATION_PATH = "/run/kubeadm/kubeadm.yaml"
JOIN_CONFIGURATION_PATH = "/run/kubeadm/kubeadm-join.yaml"
_COMMANDS = ("palette-portal", "palette-report", "palette-step", "palette-apply-packs", "palette-wait-ready")
_UNITS = ("palette-heartbeat.service", "palette-heartbeat.timer")
# Only a control plane node has the rights to change the cluster.
_MASTER_COMMANDS = ("palette-instructions", "palette-load")
_MASTER_UNITS = (
    "palette-instructions.service",
    "palette-instructions.timer",
    "palette-load.service",
    "palette-load.timer",
)
_MASTER_TIMERS = ("palette-instructions.timer", "palette-load.timer")

File = dict[str, str]


def metadata(node: NodeSpec) -> str:
    return dump_documents(
        {
            "instance-id": str(node.machine),
            "local-hostname": node.name,
            "wait-on-network": {"ipv4": True, "ipv6": False},
            "network": {"version": 2, "ethernets": {"id0": _interface(node)}},
        }
    )


def user_data(cluster: ClusterSpec, node: NodeSpec) -> str:
    document: dict[str, Any] = {
        "preserve_hostname": False,
        "manage_etc_hosts": "localhost",
        "ssh_pwauth": False,
        "users": [_user(cluster)],
        "write_files": _files(cluster, node),
        "runcmd": _commands(cluster, node),
    }
    if cluster.ntp_servers:
        document["ntp"] = {"enabled": True, "servers": list(cluster.ntp_servers)}
    if cluster.trusted_certificates:
        document["ca_certs"] = {"trusted": list(cluster.trusted_certificates)}
    return "#cloud-config\n" + dump_documents(document)


def _interface(node: NodeSpec) -> dict[str, Any]:
    # Before the clone exists no MAC address is known; every NIC we give a node is a vmxnet3.
    interface: dict[str, Any] = {"match": {"driver": "vmxnet3"}}
    if node.mac_address:
        interface = {"match": {"macaddress": node.mac_address.lower()}, "set-name": "eth0"}
    return interface | {"wakeonlan": True, "dhcp6": False} | _addressing(node)


def _addressing(node: NodeSpec) -> dict[str, Any]:
    address = node.address
    if address is None:
        # Clones share the template's machine id, and with it the DHCP client id that is made from it.
        search = {"nameservers": {"search": [node.search_domain]}} if node.search_domain else {}
        return {"dhcp4": True, "dhcp-identifier": "mac"} | search
    default_route = "::/0" if ":" in address.gateway else "0.0.0.0/0"
    nameservers: dict[str, list[str]] = {"addresses": list(address.nameservers)}
    if address.search_domains:
        nameservers["search"] = list(address.search_domains)
    return {
        "dhcp4": False,
        "addresses": [f"{address.address}/{address.prefix}"],
        "routes": [{"to": default_route, "via": address.gateway}],
        "nameservers": nameservers,
    }


def _user(cluster: ClusterSpec) -> dict[str, Any]:
    user: dict[str, Any] = {
        "name": NODE_USER,
        "groups": ["sudo"],
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "shell": "/bin/bash",
        "lock_passwd": True,
    }
    if cluster.ssh_keys:
        user["ssh_authorized_keys"] = list(cluster.ssh_keys)
    return user


def _files(cluster: ClusterSpec, node: NodeSpec) -> list[File]:
    files = [_file(REPORT_TARGET_PATH, _report_target(cluster, node))]
    is_master = node.is_control_plane
    commands = (*_COMMANDS, *(_MASTER_COMMANDS if is_master else ()))
    units = (*_UNITS, *(_MASTER_UNITS if is_master else ()))
    files += [_file(f"/usr/local/sbin/{name}", guest_file(name), "0755") for name in commands]
    files += [_file(f"/etc/systemd/system/{name}", guest_file(name), "0644") for name in units]
    if cluster.proxy:
        path = "/etc/systemd/system/containerd.service.d/http-proxy.conf"
        files.append(_file(path, _containerd_proxy(cluster, cluster.proxy)))
    if node.is_control_plane:
        files += [_file(path, content) for path, content in kubeadm.pki_files(cluster).items()]
        files.append(_file(kube_vip.MANIFEST_PATH, kube_vip.manifest(cluster, node)))
    return files + _kubeadm_files(cluster, node)


def _kubeadm_files(cluster: ClusterSpec, node: NodeSpec) -> list[File]:
    if not node.is_first:
        return [_file(JOIN_CONFIGURATION_PATH, kubeadm.join_configuration(cluster, node))]
    manifests = [
        _manifest_file(cluster, number, manifest)
        for number, manifest in enumerate(cluster.manifests, start=1)
    ]
    return [_file(INIT_CONFIGURATION_PATH, kubeadm.init_configuration(cluster, node)), *manifests]


def _manifest_file(cluster: ClusterSpec, number: int, manifest: Manifest | ManifestUrl) -> File:
    path = f"/etc/palette/manifests/{number:03d}-{manifest.name}"
    if isinstance(manifest, Manifest):
        return _file(f"{path}.yaml", manifest.content)
    return _file(f"{path}.curl", fetch_configuration(cluster, manifest.url))


def fetch_configuration(cluster: ClusterSpec, url: str) -> str:
    """What curl reads to fetch a manifest, through the proxy if there is one; no value has a quote."""
    settings = {"url": url}
    if proxy := cluster.proxy:
        settings["proxy"] = proxy.https if url.startswith("https:") else proxy.http
        settings["noproxy"] = _no_proxy(cluster, proxy)
    return "".join(f'{name} = "{value}"\n' for name, value in settings.items())


def _file(path: str, content: str, permissions: str = "0600") -> File:
    return {"path": path, "owner": "root:root", "permissions": permissions, "content": content}


def _report_target(cluster: ClusterSpec, node: NodeSpec) -> str:
    proxy = cluster.proxy
    target = node.report
    proxy_url = "" if proxy is None else proxy.https if target.url.startswith("https:") else proxy.http
    return dump_json(
        {
            "url": target.url,
            "machine": str(target.machine),
            "token": target.token.reveal(),
            "proxy": proxy_url,
            "no_proxy": _no_proxy(cluster, proxy) if proxy else "",
        }
    )


def _containerd_proxy(cluster: ClusterSpec, proxy: Proxy) -> str:
    values = {"HTTP_PROXY": proxy.http, "HTTPS_PROXY": proxy.https, "NO_PROXY": _no_proxy(cluster, proxy)}
    # systemd reads % as the start of a specifier; a percent-encoded password has some.
    lines = [f'Environment="{name}={value.replace("%", "%%")}"' for name, value in values.items()]
    return "\n".join(["[Service]", *lines, ""])


def _no_proxy(cluster: ClusterSpec, proxy: Proxy) -> str:
    own = [
        "localhost",
        "127.0.0.1",
        cluster.endpoint,
        cluster.pod_cidr,
        cluster.service_cidr,
        ".svc",
        ".cluster.local",
    ]
    return ",".join(dict.fromkeys(proxy.excluded + own))


def _commands(cluster: ClusterSpec, node: NodeSpec) -> list[list[str]]:
    timers = ["palette-heartbeat.timer", *(_MASTER_TIMERS if node.is_control_plane else ())]
    commands = [
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", "--now", *timers],
        [REPORT_COMMAND, "booted"],
    ]
    if cluster.proxy or cluster.trusted_certificates:
        commands.append(["systemctl", "restart", "containerd"])
    return [*commands, *_cluster_steps(node), [STEP_COMMAND, "ready", "/usr/local/sbin/palette-wait-ready"]]


def _cluster_steps(node: NodeSpec) -> list[list[str]]:
    if not node.is_first:
        return [[STEP_COMMAND, "joined", "kubeadm", "join", "--config", JOIN_CONFIGURATION_PATH]]
    init = ["kubeadm", "init", "--config", INIT_CONFIGURATION_PATH, "--skip-token-print"]
    return [
        [STEP_COMMAND, "control-plane-ready", *init],
        [STEP_COMMAND, "packs-applied", "/usr/local/sbin/palette-apply-packs"],
    ]
