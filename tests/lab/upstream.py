"""The lab on an upstream vcsim program (setting VCSIM): the same inventory as far as the API can make it.

Datastores and networks keep the simulator's names. Faults, durations, counters, kept machines and
asynchronous tasks are not available there.
"""

import base64
import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from pyVmomi import vim

from tests.lab.api import VSphere

INVENTORY = ["-dc", "1", "-cluster", "3", "-host", "3", "-standalone-host", "0", "-pool", "2", "-ds", "4"]
INVENTORY += ["-pg", "2", "-vm", "1", "-autostart=false", "-folder", "0"]


def start(port: int, username: str, password: str, data: Path) -> tuple[subprocess.Popen[str], str]:
    program = [os.environ["VCSIM"], "-l", f"127.0.0.1:{port}", "-username", username, "-password", password]
    bound = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    with (data / "vcenter.log").open("w") as log:
        process = subprocess.Popen(
            [*bound, *program, *INVENTORY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout
    for line in process.stdout:
        if "GOVC_URL=" in line:
            url = line.split("GOVC_URL=", 1)[1].split()[0].strip("'\"")
            return process, urllib.parse.urlsplit(url).netloc.rpartition("@")[2]
    raise RuntimeError(f"{program[0]} did not start: {(data / 'vcenter.log').read_text()}")


def thumbprint(server: str) -> str:
    host, _, port = server.partition(":")
    context = _unverified()
    with socket.create_connection((host, int(port))) as plain, context.wrap_socket(plain) as secured:
        digest = hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest().upper()
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def seed(login: dict[str, str]) -> None:
    with VSphere(**login) as vcenter:
        _rename_all(vcenter)
        _make_templates(vcenter)
        datacenter = vcenter.find(vim.Datacenter, "dc-1")
        clusters = [vcenter.find(vim.ClusterComputeResource, f"cluster-{i}") for i in (1, 2, 3)]
        tags = _Tags(login)
        tags.attach("k8s-region", {"region1": datacenter})
        tags.attach("k8s-zone", {f"az{i}": cluster for i, cluster in enumerate(clusters, 1)})
        tags.log_out()


def _rename_all(vcenter: VSphere) -> None:
    vcenter.rename(vcenter.find(vim.Datacenter, "DC0"), "dc-1")
    for i in range(3):
        vcenter.rename(vcenter.find(vim.ClusterComputeResource, f"DC0_C{i}"), f"cluster-{i + 1}")
        for number, name in enumerate(("platform", "workloads"), 1):
            pool = vcenter.find(vim.ResourcePool, f"DC0_C{i}_RP{number}")
            pool.UpdateConfig(name=name, config=None)


def _make_templates(vcenter: VSphere) -> None:
    vms = vcenter.find(vim.Datacenter, "dc-1").vmFolder
    templates = vms.CreateFolder("spectro-templates")
    for folder in ("palette-gateways", "palette-clusters", "infrastructure"):
        vms.CreateFolder(folder)
    names = ["r_u-2204-0-k-1303-0", "r_u-2204-0-k-1312-0", "palette-gateway-installer"]
    machines = [vm for vm in vms.childEntity if isinstance(vm, vim.VirtualMachine)]
    for vm, name in zip(machines, names, strict=False):
        vcenter.rename(vm, name)
        vcenter.wait(templates.MoveIntoFolder_Task([vm]))
        vm.MarkAsTemplate()


class _Tags:
    def __init__(self, login: dict[str, str]) -> None:
        self.login = login
        self.session = ""
        self.session = self._call("POST", "/com/vmware/cis/session")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        basic = base64.b64encode(f"{self.login['username']}:{self.login['password']}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        if self.session:
            headers = {"vmware-api-session-id": self.session, "Content-Type": "application/json"}
        url = f"https://{self.login['server']}/rest{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, context=_unverified(), timeout=10) as response:
            return json.loads(response.read() or b"{}").get("value")

    def attach(self, category: str, objects: dict[str, Any]) -> None:
        spec = {"name": category, "description": "", "cardinality": "SINGLE", "associable_types": []}
        category_id = self._call("POST", "/com/vmware/cis/tagging/category", {"create_spec": spec})
        for name, obj in objects.items():
            made = {"name": name, "description": "", "category_id": category_id}
            tag = self._call("POST", "/com/vmware/cis/tagging/tag", {"create_spec": made})
            target = {"type": type(obj).__name__.rpartition(".")[2], "id": obj._GetMoId()}
            path = f"/com/vmware/cis/tagging/tag-association/id:{tag}?~action=attach"
            self._call("POST", path, {"object_id": target})

    def log_out(self) -> None:
        self._call("DELETE", "/com/vmware/cis/session")
