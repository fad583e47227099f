"""Each kind of document is compared with a file; REWRITE_GOLDEN=1 writes the files anew."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from palette_portal.bootstrap import cloud_init, flannel
from palette_portal.bootstrap.labels import REGION, ZONE
from palette_portal.bootstrap.nodes import NodeRole, Taint, TaintEffect
from tests.unit.bootstrap.factories import GOLDEN, make_address, make_cluster, make_node, make_proxied_cluster

GPU_ONLY = Taint("gpu", "yes", TaintEffect.NO_EXECUTE)
USER_DATA = {
    "first-control-plane.yaml": lambda: cloud_init.user_data(make_cluster(), make_node()),
    "first-control-plane-everything.yaml": lambda: cloud_init.user_data(
        make_proxied_cluster(), make_node(address=make_address(), labels={"palette/pool": "master"})
    ),
    "first-control-plane-kubernetes-1.28.yaml": lambda: cloud_init.user_data(
        make_proxied_cluster(kubernetes_version="1.28.9"), make_node()
    ),
    "control-plane.yaml": lambda: cloud_init.user_data(
        make_cluster(), make_node(NodeRole.CONTROL_PLANE, name="gateway-1-cp-1", address=make_address())
    ),
    "worker-with-labels-and-taints.yaml": lambda: cloud_init.user_data(
        make_proxied_cluster(),
        make_node(
            NodeRole.WORKER,
            name="shop-web-1",
            labels={"tier": "web", REGION: "europe", ZONE: "zone-a"},
            taints=(GPU_ONLY,),
        ),
    ),
    "worker.yaml": lambda: cloud_init.user_data(
        make_cluster(kubernetes_version="1.30.4"), make_node(NodeRole.WORKER, name="gateway-1-worker-0")
    ),
}
MANIFESTS = {"flannel.yaml": lambda: flannel.pod_network("192.168.0.0/16").content}
METADATA = {
    "metadata-dhcp.yaml": lambda: cloud_init.metadata(make_node()),
    "metadata-dhcp-search-domain.yaml": lambda: cloud_init.metadata(
        make_node(search_domain="lab.example.com")
    ),
    "metadata-static.yaml": lambda: cloud_init.metadata(
        make_node(address=make_address(search_domains=("lab.example.com",)), mac_address="00:50:56:AB:00:01")
    ),
}


@pytest.mark.parametrize("name", [*USER_DATA, *METADATA, *MANIFESTS])
def test_document_as_recorded(name: str) -> None:
    text = (USER_DATA | METADATA | MANIFESTS)[name]()
    path = GOLDEN / name

    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(text)

    assert text == path.read_text()


@pytest.mark.parametrize("name", USER_DATA)
def test_user_data_against_the_schema_of_cloud_init(name: str, tmp_path: Path) -> None:
    file = tmp_path / "user-data"
    file.write_text(USER_DATA[name]())

    checked = subprocess.run(
        ["cloud-init", "schema", "--config-file", str(file)], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "Valid" in checked.stdout


def test_schema_of_cloud_init_refuses_a_wrong_document(tmp_path: Path) -> None:
    file = tmp_path / "user-data"
    file.write_text("#cloud-config\nruncmd: 7\n")

    checked = subprocess.run(
        ["cloud-init", "schema", "--config-file", str(file)], capture_output=True, text=True, check=False
    )

    assert checked.returncode != 0


def interfaces_as_cloud_init_reads(metadata: str) -> list[dict[str, Any]]:
    """With the Python that cloud-init itself runs under."""
    program = shutil.which("cloud-init")
    assert program, "cloud-init is not installed"
    interpreter = Path(program).read_text().splitlines()[0].removeprefix("#!").split()[0]
    script = (
        "import json, sys, yaml\n"
        "from cloudinit.net.network_state import parse_net_config_data\n"
        "state = parse_net_config_data(yaml.safe_load(sys.stdin)['network'])\n"
        "print(json.dumps(list(state.iter_interfaces())))\n"
    )
    done = subprocess.run(
        [interpreter, "-c", script], input=metadata, capture_output=True, text=True, check=True
    )
    interfaces: list[dict[str, Any]] = json.loads(done.stdout)
    return interfaces


def test_static_address_as_cloud_init_reads_it() -> None:
    (interface,) = interfaces_as_cloud_init_reads(METADATA["metadata-static.yaml"]())

    (subnet,) = interface["subnets"]
    assert (interface["name"], interface["mac_address"]) == ("eth0", "00:50:56:ab:00:01")
    assert (subnet["address"], subnet["prefix"]) == ("10.10.0.21", 24)
    assert [(route["gateway"], route["prefix"]) for route in subnet["routes"]] == [("10.10.0.1", 0)]
    assert subnet["dns_nameservers"] == ["10.10.0.2", "10.10.0.3"]


def test_dhcp_as_cloud_init_reads_it() -> None:
    (interface,) = interfaces_as_cloud_init_reads(METADATA["metadata-dhcp.yaml"]())

    assert [subnet["type"] for subnet in interface["subnets"]] == ["dhcp4"]
