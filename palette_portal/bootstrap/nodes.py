"""What a node's documents are made from. Values are checked here once; the builders trust them."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from palette_portal.bootstrap.errors import BootstrapError
from palette_portal.bootstrap.labels import key_problem, label_problem, value_problem
from palette_portal.bootstrap.pki import ClusterPKI
from palette_portal.bootstrap.secret import Secret

DEFAULT_POD_CIDR = "192.168.0.0/16"
DEFAULT_SERVICE_CIDR = "10.96.0.0/12"
KUBE_VIP_IMAGE = "ghcr.io/kube-vip/kube-vip:v0.8.9"

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*"
)
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_TOKEN = re.compile(r"[a-z0-9]{6}\.[a-z0-9]{16}")
# Nothing that a shell, a URL or YAML reads in two ways.
_WEB_ADDRESS = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9._~:/@%+=-]*")
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", re.IGNORECASE)
# Printable ASCII without spaces, double quotes and backslashes: stays inside its quotes on the guest.
_PLAIN = re.compile(r"[!#-\[\]-~]*")


def _require(pattern: re.Pattern[str], value: str, what: str) -> None:
    if not pattern.fullmatch(value):
        raise BootstrapError(f"{what} has a form that a node cannot use.")


class NodeRole(StrEnum):
    FIRST_CONTROL_PLANE = "first-control-plane"
    CONTROL_PLANE = "control-plane"
    WORKER = "worker"


@dataclass(frozen=True)
class StaticAddress:
    address: str
    prefix: int
    gateway: str
    nameservers: tuple[str, ...] = ()
    search_domains: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            ipaddress.ip_interface(f"{self.address}/{self.prefix}")
            for address in (self.gateway, *self.nameservers):
                ipaddress.ip_address(address)
        except ValueError as error:
            raise BootstrapError(f"The static address cannot be used: {error}.") from None


@dataclass(frozen=True)
class Proxy:
    """URLs may hold a user and password, so the object hides them."""

    http: str = field(repr=False)
    https: str = field(repr=False)
    no_proxy: str = ""

    def __post_init__(self) -> None:
        for name in ("http", "https"):
            _require(_PLAIN, getattr(self, name), f"The proxy's {name} value")
        for entry in self.excluded:
            _require(_PLAIN, entry, "The list of what is reached without the proxy")

    @property
    def excluded(self) -> list[str]:
        return [entry.strip() for entry in self.no_proxy.split(",") if entry.strip()]


@dataclass(frozen=True)
class ReportTarget:
    """Where a node reports, and the token that is good for this machine only."""

    url: str
    machine: UUID
    token: Secret

    def __post_init__(self) -> None:
        _require(_PLAIN, self.url, "The report address")
        _require(_PLAIN, self.token.reveal(), "The report token")

    @classmethod
    def at_portal(cls, public_url: str, *, machine: UUID, token: Secret) -> "ReportTarget":
        return cls(f"{public_url.rstrip('/')}/v1/machines/{machine}/reports", machine, token)


@dataclass(frozen=True)
class Manifest:
    """One YAML text the first control plane node applies; applied in the order of the list."""

    name: str
    content: str = field(repr=False)

    def __post_init__(self) -> None:
        _require(_LABEL, self.name, f"The manifest name {self.name!r}")


class TaintEffect(StrEnum):
    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


@dataclass(frozen=True)
class Taint:
    """Keeps pods away that do not tolerate it."""

    key: str
    value: str
    effect: TaintEffect

    def __post_init__(self) -> None:
        if problem := key_problem(self.key) or value_problem(self.value):
            raise BootstrapError(problem)
        if self.effect not in set(TaintEffect):
            raise BootstrapError(f"The taint effect {self.effect!r} is unknown.")

    def as_json(self) -> dict[str, str]:
        return {"key": self.key, "value": self.value, "effect": str(self.effect)}


@dataclass(frozen=True)
class ManifestUrl:
    """A YAML text that the first control plane node fetches, of a fixed version, and applies in its turn."""

    name: str
    url: str

    def __post_init__(self) -> None:
        _require(_LABEL, self.name, f"The manifest name {self.name!r}")
        _require(_WEB_ADDRESS, self.url, f"The address of the manifest {self.name!r}")


@dataclass(frozen=True)
class NodeSpec:
    machine: UUID
    name: str
    role: NodeRole
    report: ReportTarget
    address: StaticAddress | None = None
    mac_address: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    # With DHCP, whose server need not name one.
    search_domain: str = ""

    def __post_init__(self) -> None:
        _require(_LABEL, self.name, f"The node name {self.name!r}")
        if self.mac_address:
            _require(_MAC, self.mac_address, f"The MAC address {self.mac_address!r}")
        if self.search_domain:
            _require(_HOST_NAME, self.search_domain, f"The search domain {self.search_domain!r}")
        problems = (label_problem(key, value) for key, value in self.labels.items())
        if problem := next((problem for problem in problems if problem), ""):
            raise BootstrapError(problem)

    @property
    def is_control_plane(self) -> bool:
        return self.role is not NodeRole.WORKER

    @property
    def is_first(self) -> bool:
        return self.role is NodeRole.FIRST_CONTROL_PLANE


@dataclass(frozen=True)
class ClusterSpec:
    """`endpoint` is the virtual IP, or a DNS name that kube-vip keeps on a DHCP address."""

    name: str
    kubernetes_version: str
    endpoint: str
    pki: ClusterPKI
    bootstrap_token: Secret
    bootstrap_token_hours: int = 24
    pod_cidr: str = DEFAULT_POD_CIDR
    service_cidr: str = DEFAULT_SERVICE_CIDR
    ssh_keys: tuple[str, ...] = ()
    ntp_servers: tuple[str, ...] = ()
    proxy: Proxy | None = None
    trusted_certificates: tuple[str, ...] = ()
    manifests: tuple[Manifest | ManifestUrl, ...] = ()
    # By kind (ClusterConfiguration, KubeletConfiguration): what a profile adds to kubeadm's documents.
    kubeadm: Mapping[str, Any] = field(default_factory=dict, repr=False)
    workloads_on_control_plane: bool = False
    external_cloud_provider: bool = False
    kube_vip_image: str = KUBE_VIP_IMAGE

    def __post_init__(self) -> None:
        _require(_LABEL, self.name, f"The cluster name {self.name!r}")
        _require(_VERSION, self.kubernetes_version, f"The Kubernetes version {self.kubernetes_version!r}")
        _require(_TOKEN, self.bootstrap_token.reveal(), "The bootstrap token")
        if not self.endpoint_is_address:
            _require(_HOST_NAME, self.endpoint, f"The endpoint {self.endpoint!r}")
        self._check_networks()

    @property
    def version(self) -> tuple[int, int]:
        matched = _VERSION.fullmatch(self.kubernetes_version)
        assert matched is not None
        return int(matched[1]), int(matched[2])

    @property
    def endpoint_is_address(self) -> bool:
        try:
            ipaddress.ip_address(self.endpoint)
        except ValueError:
            return False
        return True

    @property
    def api_server(self) -> str:
        host = f"[{self.endpoint}]" if ":" in self.endpoint else self.endpoint
        return f"{host}:6443"

    def _check_networks(self) -> None:
        try:
            pods, services = (ipaddress.ip_network(cidr) for cidr in (self.pod_cidr, self.service_cidr))
        except ValueError as error:
            raise BootstrapError(f"The pod or service network cannot be used: {error}.") from None
        if pods.overlaps(services):
            raise BootstrapError(f"The pod network {pods} and the service network {services} overlap.")
