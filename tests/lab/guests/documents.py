"""What a node's two documents tell it to do; read as cloud-init and a shell would."""

import base64
import binascii
import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

HEARTBEATS = "palette-heartbeat.timer"
INSTRUCTIONS = "palette-instructions.timer"
REPORT_TARGET = "/etc/palette/report.json"


class NotReadable(ValueError):
    """The machine has no documents, or none that a node could use."""


@dataclass(frozen=True)
class ReportTarget:
    url: str
    token: str = field(repr=False)
    proxy: str = ""


@dataclass(frozen=True)
class Command:
    """One entry of runcmd; `phase` is what it reports when it has succeeded, if it reports."""

    words: tuple[str, ...]
    phase: str = ""

    @property
    def stops_on_failure(self) -> bool:
        return PurePosixPath(self.words[0]).name == "palette-step"

    @property
    def inner(self) -> tuple[str, ...]:
        return self.words[2:] if self.phase else self.words

    def runs(self, *words: str) -> bool:
        return tuple(PurePosixPath(word).name for word in self.inner[: len(words)]) == words


@dataclass(frozen=True)
class Documents:
    host_name: str
    address: str  # "" with DHCP
    commands: tuple[Command, ...] = ()
    files: dict[str, str] = field(default_factory=dict, repr=False)
    report: ReportTarget | None = None
    has_ntp: bool = False

    def timer_seconds(self, timer: str) -> float:
        """The timer's period, 0 if the node is not told to start it."""
        started = any(
            command.words[:2] == ("systemctl", "enable") and timer in command.words
            for command in self.commands
        )
        unit = next((text for path, text in self.files.items() if path.endswith(f"/{timer}")), "")
        period = re.search(r"^OnUnitInactiveSec=(\d+)", unit, re.MULTILINE)
        return float(period[1]) if started and period else 0.0

    @property
    def is_control_plane(self) -> bool:
        return any(command.runs("kubeadm", "init") for command in self.commands) or any(
            re.search(r"^controlPlane:", text, re.MULTILINE) for text in self.files.values()
        )

    @property
    def join_token(self) -> str:
        """The token that kubeadm's configuration names; "" if none."""
        texts = (text for path, text in self.files.items() if "kubeadm" in path)
        found = (
            re.search(r"^\s*(?:- )?token: *['\"]?([a-z0-9]{6}\.[a-z0-9]{16})", text, re.MULTILINE)
            for text in texts
        )
        return next((token[1] for token in found if token), "")

    @property
    def endpoint(self) -> str:
        """host:port of the cluster's API server, as kubeadm's configuration names it."""
        for text in self.files.values():
            found = re.search(r"^\s*(?:controlPlaneEndpoint|apiServerEndpoint): *(\S+)", text, re.MULTILINE)
            if found:
                return found[1].strip("'\"")
        return ""

    @property
    def kubernetes_version(self) -> str:
        versions = (
            re.search(r"^kubernetesVersion: *(\S+)", text, re.MULTILINE) for text in self.files.values()
        )
        found = next((version[1].strip("'\"") for version in versions if version), "")
        return found and f"v{found.removeprefix('v')}"


def read_documents(options: dict[str, str]) -> Documents:
    """From a virtual machine's extraConfig; raise NotReadable."""
    user_data, metadata = _decoded(options, "userdata"), _yaml(_decoded(options, "metadata"))
    if not user_data.startswith("#cloud-config"):
        raise NotReadable("The user-data is not a cloud-config.")
    config = _yaml(user_data)
    files = {str(item["path"]): _content(item) for item in config.get("write_files") or []}
    return Documents(
        host_name=str(metadata.get("local-hostname") or metadata.get("hostname") or ""),
        address=_static_address(metadata),
        commands=tuple(_command(words) for words in config.get("runcmd") or []),
        files=files,
        report=_report_target(files.get(REPORT_TARGET, "")),
        has_ntp=bool((config.get("ntp") or {}).get("servers")),
    )


def _decoded(options: dict[str, str], name: str) -> str:
    value = options.get(f"guestinfo.{name}", "")
    encoding = options.get(f"guestinfo.{name}.encoding", "")
    try:
        if encoding in ("base64", "b64"):
            return base64.b64decode(value, validate=True).decode()
        if encoding in ("gzip+base64", "gz+b64"):
            return gzip.decompress(base64.b64decode(value)).decode()
    except (binascii.Error, UnicodeDecodeError, OSError) as error:
        raise NotReadable(f"guestinfo.{name} cannot be decoded: {error}") from error
    return value


def _yaml(text: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text) if text else {}
    except yaml.YAMLError as error:
        raise NotReadable(f"Not YAML: {error}") from error
    return document if isinstance(document, dict) else {}


def _content(item: dict[str, Any]) -> str:
    text = str(item.get("content", ""))
    return base64.b64decode(text).decode() if item.get("encoding") in ("b64", "base64") else text


def _static_address(metadata: dict[str, Any]) -> str:
    network = metadata.get("network") or {}
    if isinstance(network, str):
        network = _yaml(base64.b64decode(network).decode())
    interfaces = (network.get("network", network).get("ethernets") or {}).values()
    addresses = [str(address) for interface in interfaces for address in interface.get("addresses") or []]
    return addresses[0].partition("/")[0] if addresses else ""


def _command(entry: str | list[Any]) -> Command:
    words = tuple(entry.split()) if isinstance(entry, str) else tuple(str(word) for word in entry)
    if words and PurePosixPath(words[0]).name in ("palette-report", "palette-step") and len(words) > 1:
        return Command(words, phase=words[1])
    return Command(words or ("",))


def _report_target(text: str) -> ReportTarget | None:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return None
    return ReportTarget(found["url"], found["token"], found.get("proxy", ""))
