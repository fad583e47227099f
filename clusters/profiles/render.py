"""From a cluster's layers and the values of its variables to what its nodes are made from.

Nothing is pasted into YAML: documents are parsed first and filled in then. What comes out may hold secrets,
so it hides in repr.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from clusters.profiles.charts import chart_manifest
from clusters.profiles.packs import Delivery, PackVersion, find_pack
from clusters.profiles.placeholders import NoSuchValue, fill
from clusters.profiles.values import merged_values
from clusters.profiles.variables import Variable, check_variables
from clusters.profiles.versions import numbers
from clusters.profiles.yaml_text import read
from palette_portal.bootstrap.nodes import Manifest, ManifestUrl
from palette_portal.bootstrap.secret import Secret
from palette_portal.bootstrap.text import dump_documents


class Layer(Protocol):
    """A row of a profile's or a cluster's layers, or a PlainLayer."""

    kind: str
    pack: str
    pack_version: str
    values: str


@dataclass
class PlainLayer:
    kind: str
    pack: str
    pack_version: str
    values: str = ""


@dataclass(frozen=True)
class LayerGroup:
    """The layers of one profile, with the variables that they can name and no other profile's can."""

    layers: Sequence[Layer]
    definitions: Sequence[Variable] = ()
    given: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ClusterFacts:
    """What packs may name as {{.system.…}}; `images_url` is where OVAs are kept, empty if nowhere."""

    cluster_name: str
    endpoint_host: str = ""
    vcenter_server: str = ""
    datacenter_name: str = ""
    username: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    images_url: str = ""


@dataclass(frozen=True)
class NodeInputs:
    image_template: str
    # Where the OVA of the template is; empty = somebody has to put the template there.
    image_url: str
    os_image: str
    kubernetes_version: str
    pod_cidr: str
    service_cidr: str
    external_cloud_provider: bool
    manifests: tuple[Manifest | ManifestUrl, ...] = field(repr=False)
    # By kind (ClusterConfiguration, KubeletConfiguration): what goes over the node's own document.
    # `extraArgs` are plain mappings of text, whatever kubeadm's version wants.
    kubeadm: Mapping[str, Any] = field(repr=False)


def node_inputs(groups: Iterable[LayerGroup], facts: ClusterFacts) -> NodeInputs:
    """Layers in their order; they were checked before. Raise NoSuchPack, Unreadable, NoSuchValue."""
    parts = [part for group in groups for part in _parts(group)]
    by_kind = {part.pack.kind: part for part in parts}
    os, kubernetes = by_kind["os"], by_kind["kubernetes"]
    version, networking = kubernetes.pack.version, kubernetes.values["networking"]
    template, url = image_of(os.pack, os.values, version, images_url=facts.images_url)
    system = _System(version, _system_names(facts, networking))
    return NodeInputs(
        image_template=template,
        image_url=url,
        os_image=str(os.pack),
        kubernetes_version=version,
        pod_cidr=networking["podCidr"],
        service_cidr=networking["serviceCidr"],
        external_cloud_provider=any(part.pack.external_cloud_provider for part in parts),
        manifests=tuple(manifest for part in parts for manifest in part.manifests(system)),
        kubeadm=kubernetes.fill(kubernetes.pack.kubeadm, system) or {},
    )


def _parts(group: LayerGroup) -> list["_Part"]:
    asked = {variable.name for variable in group.definitions}
    given = {name: value for name, value in group.given.items() if name in asked}
    if errors := check_variables(group.definitions, given):
        raise NoSuchValue(next(iter(errors.values())))
    return [_Part(layer, given, group.definitions) for layer in group.layers]


def image_of(
    os: PackVersion, values: Mapping[str, Any], kubernetes_version: str, *, images_url: str = ""
) -> tuple[str, str]:
    """The name of the VM template and the address of its OVA, either empty if there is none."""
    own = values.get("image", {})
    template = own.get("template") or os.images.get(kubernetes_version, "")
    stored = f"{images_url.rstrip('/')}/{template}.ova" if images_url and template else ""
    return template, own.get("url") or stored


@dataclass(frozen=True)
class _System:
    """What is the same for all layers of a cluster."""

    kubernetes_version: str
    names: Mapping[str, Any] = field(repr=False)

    @property
    def kubernetes_minor(self) -> str:
        return ".".join(str(number) for number in numbers(self.kubernetes_version)[:2])


class _Part:
    """A layer with its pack and its values."""

    def __init__(self, layer: Layer, given: Mapping[str, str], definitions: Sequence[Variable]) -> None:
        self.pack = find_pack(layer.pack, layer.pack_version)
        self.values = merged_values(self.pack, layer.values, variables=definitions, given=given)

    def manifests(self, system: _System) -> list[Manifest | ManifestUrl]:
        return [self._manifest(delivery, system) for delivery in self.pack.deliveries]

    def _manifest(self, delivery: Delivery, system: _System) -> Manifest | ManifestUrl:
        if delivery.url:
            return ManifestUrl(delivery.name, delivery.url)
        if delivery.chart:
            return chart_manifest(delivery.name, delivery.chart, self.values)
        parts = (part for part in delivery.manifest.split("\n---\n") if part.strip())
        return Manifest(delivery.name, dump_documents(*(self.fill(part, system) for part in parts)))

    def fill(self, text: str, system: _System) -> Any:
        names = {
            "pack": {"version": self.pack.version},
            "values": self.values,
            "system": system.names,
            "kubernetes": self.pack.by_kubernetes.get(system.kubernetes_minor, {}),
        }
        filled = fill(read(text), _look_up_in(names))
        if filled.problems:
            raise NoSuchValue(filled.problems[0].message)
        return filled.data


def _system_names(facts: ClusterFacts, networking: Mapping[str, Any]) -> dict[str, Any]:
    host, _, port = facts.vcenter_server.partition(":")
    return {
        "cluster": {"name": facts.cluster_name, "endpoint": facts.endpoint_host},
        "podCidr": networking["podCidr"],
        "serviceCidr": networking["serviceCidr"],
        "vcenter": {
            "host": host,
            "port": port or "443",
            "datacenter": facts.datacenter_name,
            "username": facts.username,
            "password": facts.password.reveal(),
        },
    }


def _look_up_in(names: Mapping[str, Any]) -> Callable[[str], Any]:
    def look_up(path: str) -> Any:
        value: Any = names
        for part in path.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise NoSuchValue(f"The pack names {path}, which there is not.")
            value = value[part]
        return value

    return look_up
