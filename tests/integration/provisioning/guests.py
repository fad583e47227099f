"""The nodes of a cluster as far as the portal can tell: what they report, and what they do when asked.

Nodes join with a token the cluster knows, and control plane nodes do instructions while they are on.
"""

import base64
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml
from django.test import Client
from pyVmomi import vim

from clusters.models import NodeInstruction
from tests.lab.api import VSphere

INIT, JOIN = "/run/kubeadm/kubeadm.yaml", "/run/kubeadm/kubeadm-join.yaml"
Lines = list[tuple[str, str]]


@dataclass(frozen=True)
class Master:
    instructions: str
    authorization: str


@dataclass
class Guests:
    """Report what the user-data of powered-on machines says; `silent` names those that do not boot.

    `refusing` counts how often an instruction of a kind fails; `undrainable` names nodes that never drain.
    """

    vcenter: VSphere
    silent: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    refusing: Counter[str] = field(default_factory=Counter)
    undrainable: set[str] = field(default_factory=set)
    is_watching: bool = True
    listen: Callable[[str, dict[str, Any]], object] = lambda _name, _user_data: None
    client: Client = field(default_factory=Client)
    done: set[str] = field(default_factory=set)
    # The cluster's own truth.
    tokens: set[str] = field(default_factory=set)
    nodes: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)
    version: str = ""
    addons: str = ""
    applied: list[str] = field(default_factory=list)
    changed: list[Lines] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    _masters: dict[str, Master] = field(default_factory=dict)

    def play(self) -> None:
        if not self.is_watching:
            return
        for name, options in self._powered_on().items():
            if name not in self.done | self.silent and options.get("guestinfo.userdata"):
                self.done.add(name)
                self._boot(name, options)

    def work(self) -> None:
        """Every control plane node that is on does what the portal asks."""
        if not self.is_watching or not NodeInstruction.objects.outstanding().exists():
            return
        for name in self._powered_on().keys() & self._masters.keys():
            while text := self._ask(self._masters[name]):
                self._do(self._masters[name], text)

    def _powered_on(self) -> dict[str, dict[str, str]]:
        paths = ("name", "config.extraConfig", "runtime.powerState")
        return {
            values["name"]: {option.key: option.value for option in values.get("config.extraConfig", ())}
            for values in self.vcenter.collect(vim.VirtualMachine, *paths).values()
            if values.get("runtime.powerState") == "poweredOn"
        }

    def _boot(self, name: str, options: dict[str, str]) -> None:
        user_data = yaml.load(base64.b64decode(options["guestinfo.userdata"]), yaml.CSafeLoader)
        metadata = yaml.safe_load(base64.b64decode(options["guestinfo.metadata"]))
        self.listen(name, user_data)
        files = {entry["path"]: entry["content"] for entry in user_data["write_files"]}
        target = json.loads(files["/etc/palette/report.json"])
        addresses = metadata["network"]["ethernets"]["id0"].get("addresses", ["10.10.183.200/24"])
        for command in user_data["runcmd"]:
            if command[0].startswith("/usr/local/sbin/palette-"):
                phase = command[1]
                trouble = self._trouble(name, files) if phase != "booted" else ""
                if trouble:
                    self.report(target, "failed", addresses, trouble)
                    return
                self.report(target, phase, addresses)
        self._enter(name, files, target, user_data["runcmd"])

    def _trouble(self, name: str, files: dict[str, str]) -> str:
        if name in self.failing:
            return "kubeadm: the API server is not healthy"
        if JOIN in files:
            token = yaml.safe_load(files[JOIN])["discovery"]["bootstrapToken"]["token"]
            return "" if token in self.tokens else "kubeadm: there is no JWS signed token for this id"
        init = next(yaml.safe_load_all(files[INIT]))
        self.tokens.add(init["bootstrapTokens"][0]["token"])
        return ""

    def _enter(self, name: str, files: dict[str, str], target: dict[str, str], commands: Any) -> None:
        self.nodes.add(name)
        self.log.append(f"{name} in")
        if any("palette-instructions.timer" in command for command in commands):
            self.members.add(name)
            path = target["url"][target["url"].index("/v1/") :].removesuffix("reports")
            self._masters[name] = Master(f"{path}instructions", f"Bearer {target['token']}")

    def _ask(self, master: Master) -> str:
        answer = self.client.get(master.instructions, headers={"authorization": master.authorization})
        assert answer.status_code in (200, 204), answer.content
        return answer.content.decode()

    def _do(self, master: Master, text: str) -> None:
        (_, identity), (_, kind), *rest = (line.split("=", 1) for line in text.splitlines())
        trouble = self._perform(kind, [(name, base64.b64decode(value).decode()) for name, value in rest])
        answer = self.client.post(
            f"{master.instructions}/{identity}",
            {"state": "failed" if trouble else "done", "message": trouble},
            headers={"authorization": master.authorization},
        )
        assert answer.status_code == 204, answer.content

    def _perform(self, kind: str, lines: Lines) -> str:
        """What it complains about; "" when it succeeds."""
        if self.refusing[kind] > 0:
            self.refusing[kind] -= 1
            return "Error from server: etcdserver: request timed out"
        values = dict(lines)
        match kind:
            case "remove-node":
                return self._remove(values["name"])
            case "create-join-token":
                data = yaml.safe_load(values["manifest"])["stringData"]
                self.tokens = {f"{data['token-id']}.{data['token-secret']}"}
            case "set-kubernetes-version" if "addons" in values:
                self.addons = values["version"]
            case "set-kubernetes-version":
                self.version = values["version"]
                self.log.append(f"version {self.version}")
            case "apply-manifests":
                self.applied += [value for _, value in lines]
            case "change-node":
                self.changed.append(lines)
        return ""

    def _remove(self, name: str) -> str:
        if name in self.undrainable:
            return "error when evicting pods: Cannot evict pod as it would violate the disruption budget."
        if name in self.nodes:
            self.log.append(f"{name} out")
        self.nodes.discard(name)
        self.members.discard(name)
        return ""

    def report(self, target: dict[str, str], phase: str, addresses: list[str], message: str = "") -> None:
        path = target["url"][target["url"].index("/v1/") :]
        body = {
            "phase": phase,
            "message": message,
            "addresses": [address.partition("/")[0] for address in addresses],
            "kubelet_version": "v1.31.2",
        }
        authorization = f"Bearer {target['token']}"
        answer = self.client.post(path, body, "application/json", headers={"authorization": authorization})
        assert answer.status_code == 204, answer.content
