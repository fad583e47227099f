import base64
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from tests.lab.api import VSphere
from tests.lab.vcsim import Lab


def rest(lab: Lab, method: str, path: str, body: Any = None, *, session: str = "") -> Any:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    basic = base64.b64encode(f"{lab.username}:{lab.password}".encode()).decode()
    headers = {"vmware-api-session-id": session} if session else {"Authorization": f"Basic {basic}"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"https://{lab.server}/rest{path}", data, headers, method=method)
    with urllib.request.urlopen(request, context=context, timeout=10) as response:
        return json.loads(response.read() or b"{}").get("value")


def test_inventory_is_the_demo_inventory(vcenter: VSphere) -> None:
    assert vcenter.names(vim.Datacenter) == ["dc-1"]
    assert vcenter.names(vim.ClusterComputeResource) == ["cluster-1", "cluster-2", "cluster-3"]
    assert len(vcenter.names(vim.HostSystem)) == 9
    assert {"spectro-templates", "palette-gateways"} <= set(vcenter.names(vim.Folder))
    assert {"VM Network", "management", "k8s-nodes"} <= set(vcenter.names(vim.Network))
    assert vcenter.names(vim.ResourcePool).count("workloads") == 3
    assert {"r_u-2204-0-k-1312-0", "palette-gateway-installer"} <= set(vcenter.names(vim.VirtualMachine))


def test_datastores_say_who_mounts_them_and_what_is_free(vcenter: VSphere) -> None:
    found = vcenter.collect(vim.Datastore, "name", "host", "summary.capacity", "summary.freeSpace")
    by_name = {values["name"]: values for values in found.values()}

    assert len(by_name["shared-nfs-1"]["host"]) == 9
    assert len(by_name["cluster-2-vmfs"]["host"]) == 3
    assert all(0 < values["summary.freeSpace"] < values["summary.capacity"] for values in by_name.values())


def test_tags_name_region_and_zones(lab: Lab, vcenter: VSphere) -> None:
    session = rest(lab, "POST", "/com/vmware/cis/session")
    zones = {}
    for tag in rest(lab, "GET", "/com/vmware/cis/tagging/tag", session=session):
        known = rest(lab, "GET", f"/com/vmware/cis/tagging/tag/id:{tag}", session=session)
        path = f"/com/vmware/cis/tagging/tag-association/id:{tag}?~action=list-attached-objects"
        zones[known["name"]] = [item["id"] for item in rest(lab, "POST", path, {}, session=session)]
    rest(lab, "DELETE", "/com/vmware/cis/session", session=session)

    expected = {
        f"az{i}": [vcenter.find(vim.ClusterComputeResource, f"cluster-{i}")._GetMoId()] for i in (1, 2, 3)
    }
    assert zones == expected | {"region1": [vcenter.find(vim.Datacenter, "dc-1")._GetMoId()]}


def test_installer_template_has_the_ovf_properties(vcenter: VSphere) -> None:
    template = vcenter.machine("palette-gateway-installer")

    ids = {item.id for item in template.config.vAppConfig.property}

    assert {"palette.console_endpoint", "palette.pairing_code", "palette.certificate"} <= ids


def test_identifiers_are_the_same_after_a_restart(vcenter: VSphere) -> None:
    known = {
        obj._GetMoId(): values["name"] for obj, values in vcenter.collect(vim.ManagedEntity, "name").items()
    }

    with Lab() as other, other.connect() as second:
        again = second.collect(vim.ManagedEntity, "name")

    assert {obj._GetMoId(): values["name"] for obj, values in again.items()} == known


def test_version_is_what_the_lab_was_asked_for(lab: Lab) -> None:
    lab.set_version("6.5.0")

    with lab.connect() as session:
        assert session.content.about.version == "6.5.0"


def test_a_wrong_password_is_refused_everywhere(lab: Lab) -> None:
    login = lab.login() | {"password": "wrong"}

    with pytest.raises(vim.fault.InvalidLogin):
        VSphere(**login).__enter__()
    lab.password, right = "wrong", lab.password
    with pytest.raises(urllib.error.HTTPError) as refused:
        rest(lab, "POST", "/com/vmware/cis/session")
    refused.value.close()
    lab.password = right
    assert refused.value.code == 401


def test_machines_are_kept_over_a_restart(tmp_path: Path) -> None:
    with Lab(data=tmp_path, keep_machines=True) as first, first.connect() as session:
        vm = session.create_machine("kept", power_on=True)
        session.set_options(vm, {"guestinfo.a": "1"})
        session.set_options(vm, {"SET.guest.ipAddress": "10.0.0.9"})
        session.wait(session.clone("palette-gateway-installer", "installer"))
        before = described(session)

    with Lab(data=tmp_path, keep_machines=True) as again, again.connect() as session:
        assert described(session) == before
        assert again.thumbprint_sha256 == first.thumbprint_sha256
        session.remove([session.machine("kept")._GetMoId()])
        assert session.create_machine("new")._GetMoId() not in [values[0] for values in before.values()]


def test_machines_are_kept_in_a_folder_that_was_made_for_them(tmp_path: Path) -> None:
    with Lab(data=tmp_path, keep_machines=True) as first, first.connect() as session:
        folder = session.find(vim.Folder, "palette-clusters").CreateFolder("shop").CreateFolder("inner")
        session.create_machine("kept", folder="shop")
        session.create_machine("deeper", folder="inner")
        before = described(session)

    with Lab(data=tmp_path, keep_machines=True) as again, again.connect() as session:
        assert described(session) == before
        shop = session.find(vim.Folder, "shop")
        assert session.read(shop, "parent")["parent"] == session.find(vim.Folder, "palette-clusters")
        assert session.find(vim.Folder, "inner")._GetMoId() == folder._GetMoId()
        assert session.create_machine("new")._GetMoId() not in [values[0] for values in before.values()]


def described(session: VSphere) -> dict[str, tuple[Any, ...]]:
    """What must be the same of every machine, by name."""
    paths = (
        "config.instanceUuid",
        "guest.ipAddress",
        "runtime.powerState",
        "runtime.host",
        "parent",
        "datastore",
    )
    found = session.collect(vim.VirtualMachine, "name", "config.extraConfig", "config.vAppConfig", *paths)
    return {
        values["name"]: (
            vm._GetMoId(),
            *[str(values.get(path)) for path in paths],
            {option.key: option.value for option in values["config.extraConfig"]},
            len(values["config.vAppConfig"].property) if values.get("config.vAppConfig") else 0,
            [getattr(device, "macAddress", "") for device in vm.config.hardware.device],
        )
        for vm, values in found.items()
    }
