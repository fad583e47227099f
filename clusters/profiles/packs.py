"""Packs: what a layer can be. They are data, one folder per pack in catalog/; docs/profiles.md tells how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from clusters.profiles.versions import numbers

CATALOG = Path(__file__).parent / "catalog"


@dataclass(frozen=True)
class KubernetesRange:
    """Minor versions that the pack's makers name, both included; empty means no limit."""

    minimum: str = ""
    maximum: str = ""

    def takes(self, version: str) -> bool:
        minor = numbers(version)[:2]
        too_old = bool(self.minimum) and minor < numbers(self.minimum)
        return not too_old and not (self.maximum and minor > numbers(self.maximum))

    def __str__(self) -> str:
        if self.minimum and self.maximum:
            return f"{self.minimum} to {self.maximum}"
        return f"{self.minimum} and later" if self.minimum else "any version"


@dataclass(frozen=True)
class Chart:
    """A Helm chart, installed by a job inside the cluster with the layer's values."""

    name: str
    repository: str
    version: str
    namespace: str = "kube-system"


@dataclass(frozen=True)
class Delivery:
    """One thing that is applied to the cluster: a file at an address, a manifest of ours, or a chart."""

    name: str
    url: str = ""
    manifest: str = ""
    chart: Chart | None = None


@dataclass(frozen=True)
class PackVersion:
    pack: str
    title: str
    kind: str
    version: str
    default_values: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    kubernetes: KubernetesRange = KubernetesRange()
    # Whether the cluster needs kubelets that wait for a cloud provider.
    external_cloud_provider: bool = False
    deliveries: tuple[Delivery, ...] = ()
    # Of Kubernetes: changes to kubeadm's documents, with placeholders.
    kubeadm: str = ""
    # Of an operating system: by Kubernetes version, the name of the VM template.
    images: Mapping[str, str] = field(default_factory=dict)
    # Facts that depend on Kubernetes' minor version, for the placeholders {{.kubernetes.…}}.
    by_kubernetes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.title} {self.version}"


@dataclass(frozen=True)
class Pack:
    name: str
    title: str
    kind: str
    description: str
    link: str
    # The newest first.
    versions: tuple[PackVersion, ...]

    def version(self, version: str) -> PackVersion | None:
        return next((found for found in self.versions if found.version == version), None)


@dataclass(frozen=True)
class Catalog:
    packs: tuple[Pack, ...]

    def of_kind(self, kind: str) -> tuple[Pack, ...]:
        return tuple(pack for pack in self.packs if pack.kind == kind)

    def find(self, name: str) -> Pack | None:
        return next((pack for pack in self.packs if pack.name == name), None)


class NoSuchPack(Exception):
    def __init__(self, name: str, version: str) -> None:
        super().__init__(f"The catalogue has no pack {name} {version}.")


@lru_cache(maxsize=1)
def load_catalog() -> Catalog:
    folders = sorted(path for path in CATALOG.iterdir() if (path / "pack.yaml").is_file())
    return Catalog(tuple(_load_pack(folder) for folder in folders))


def find_pack(name: str, version: str) -> PackVersion:
    """Raise NoSuchPack."""
    pack = load_catalog().find(name)
    found = pack.version(version) if pack else None
    if found is None:
        raise NoSuchPack(name, version)
    return found


def _load_pack(folder: Path) -> Pack:
    common = _read(folder / "pack.yaml")
    files = [path for path in folder.glob("*.yaml") if path.name != "pack.yaml"]
    versions = [_load_version(folder.name, {**common, **_read(path)}) for path in files]
    return Pack(
        name=folder.name,
        title=common["title"],
        kind=common["kind"],
        description=common["description"],
        link=common["link"],
        versions=tuple(sorted(versions, key=lambda found: numbers(found.version), reverse=True)),
    )


def _load_version(name: str, data: Mapping[str, Any]) -> PackVersion:
    return PackVersion(
        pack=name,
        title=data["title"],
        kind=data["kind"],
        version=data["version"],
        default_values=data.get("values", ""),
        schema=data.get("schema", {}),
        kubernetes=KubernetesRange(**data.get("kubernetes", {})),
        external_cloud_provider=data.get("external_cloud_provider", False),
        deliveries=tuple(_load_delivery(row, data["version"]) for row in data.get("deliveries", ())),
        kubeadm=data.get("kubeadm", ""),
        images=data.get("images", {}),
        by_kubernetes=data.get("by_kubernetes", {}),
    )


def _load_delivery(row: Mapping[str, Any], version: str) -> Delivery:
    """Addresses and charts name the pack's version as {version}."""
    chart = row.get("chart")
    return Delivery(
        row["name"],
        url=row.get("url", "").replace("{version}", version),
        manifest=row.get("manifest", ""),
        chart=Chart(**{**chart, "version": chart["version"].replace("{version}", version)})
        if chart
        else None,
    )


def _read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    return data
