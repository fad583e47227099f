"""What of our rows reaches a node's documents."""

import base64
import json
import ssl

import pytest
import yaml

from clusters.documents import clone_spec, cluster_spec, guest_documents
from clusters.models import AddressAllocation, ClusterLayer, ClusterSecrets
from clusters.profiles.models import LayerKind
from clusters.tokens import report_token
from ippools.models import IPAddressClaim
from palette_portal.bootstrap.pki import (
    admin_kubeconfig,
    dump_pki,
    generate_bootstrap_token,
    generate_cluster_pki,
    kubeconfig_expiry,
)
from tests.factories import make_cluster, make_gateway, make_machine, make_machine_pool, make_pool

pytestmark = pytest.mark.django_db
MAC = "00:50:56:aa:bb:cc"


def make_node(gateway=None, *, index=1, **cluster_fields):
    gateway = gateway or make_gateway()
    cluster = make_cluster(gateway, name="My Gateway", endpoint_host="10.10.183.30", **cluster_fields)
    pool = make_machine_pool(cluster, ip_pool=make_pool(gateway))
    pki = generate_cluster_pki("my-gateway")
    kubeconfig = admin_kubeconfig(pki, cluster_name="my-gateway", server="https://10.10.183.30:6443")
    ClusterSecrets.objects.create(
        cluster=cluster,
        pki=dump_pki(pki),
        admin_kubeconfig=kubeconfig.reveal(),
        bootstrap_token=generate_bootstrap_token().reveal(),
        certificates_expire_at=kubeconfig_expiry(kubeconfig),
    )
    machine = make_machine(pool, index=index, name=f"my-gateway-cp-{index}")
    IPAddressClaim.objects.create(
        pool=pool.ip_pool,
        address="10.10.183.20",
        cluster_id=cluster.id,
        owner_kind="machine",
        owner_id=machine.id,
        owner_name=machine.name,
        purpose="node",
    )
    return machine


def decoded(documents, name):
    return yaml.safe_load(base64.b64decode(documents[f"guestinfo.{name}"]))


def file_of(documents, path):
    files = {entry["path"]: entry["content"] for entry in decoded(documents, "userdata")["write_files"]}
    return files[path]


def test_documents_name_machine_address_and_mac():
    metadata = decoded(guest_documents(make_node(), mac_address=MAC), "metadata")

    interface = metadata["network"]["ethernets"]["id0"]
    assert metadata["local-hostname"] == "my-gateway-cp-1"
    assert interface["match"]["macaddress"] == MAC
    assert interface["addresses"] == ["10.10.183.20/24"]
    assert interface["nameservers"]["addresses"] == ["10.10.0.2"]


def test_documents_come_out_the_same_every_time():
    machine = make_node()

    assert guest_documents(machine, mac_address=MAC) == guest_documents(machine, mac_address=MAC)


def test_documents_say_where_to_report_with_the_machines_own_token(settings):
    settings.PUBLIC_URL = "https://portal.acme.test"
    machine = make_node()

    target = json.loads(file_of(guest_documents(machine, mac_address=MAC), "/etc/palette/report.json"))

    assert target["url"] == f"https://portal.acme.test/v1/machines/{machine.id}/reports"
    assert target["token"] == report_token(machine).reveal()


def test_dhcp_documents_have_no_address():
    machine = make_node(address_allocation=AddressAllocation.DHCP)

    interface = decoded(guest_documents(machine, mac_address=MAC), "metadata")["network"]["ethernets"]["id0"]
    assert interface["dhcp4"] is True
    assert "addresses" not in interface


@pytest.mark.parametrize(
    ("index", "path"),
    [(1, "/run/kubeadm/kubeadm.yaml"), (2, "/run/kubeadm/kubeadm-join.yaml")],
)
def test_first_master_begins_and_others_join(index, path):
    documents = guest_documents(make_node(index=index), mac_address=MAC)

    assert "kubeadm.k8s.io" in file_of(documents, path)


def test_masters_take_workloads_when_their_pool_does():
    machine = make_node()

    assert cluster_spec(machine.cluster).workloads_on_control_plane is True

    machine.cluster.machine_pools.update(takes_workloads=False)
    assert cluster_spec(machine.cluster).workloads_on_control_plane is False


def test_proxy_of_the_installer_is_the_nodes_proxy():
    gateway = make_gateway(
        http_proxy="http://proxy.acme.test:3128",
        https_proxy="http://proxy.acme.test:3128",
        no_proxy=".acme.test",
    )

    proxy = cluster_spec(make_node(gateway).cluster).proxy

    assert proxy is not None
    assert (proxy.http, proxy.no_proxy) == ("http://proxy.acme.test:3128", ".acme.test")


@pytest.mark.parametrize("encoding", ["PEM", "DER"])
def test_certificate_of_the_proxy_is_trusted(encoding):
    pem = generate_cluster_pki("proxy").cluster.certificate_pem
    der = ssl.PEM_cert_to_DER_cert(pem)
    encoded = base64.b64encode(pem.encode() if encoding == "PEM" else der).decode().rstrip("=")

    cluster = make_node(make_gateway(proxy_certificate=encoded)).cluster

    (trusted,) = cluster_spec(cluster).trusted_certificates
    assert ssl.PEM_cert_to_DER_cert(trusted) == der


def test_vm_carries_the_marks_of_its_owner():
    machine = make_node()

    spec = clone_spec(machine)

    assert spec.instance_uuid == str(machine.id)
    assert spec.extra_config == {
        "palette.cluster": str(machine.cluster_id),
        "palette.machine": str(machine.id),
    }


def labels_of(documents, path="/run/kubeadm/kubeadm.yaml"):
    registration = next(iter(yaml.safe_load_all(file_of(documents, path))))["nodeRegistration"]
    arguments = {entry["name"]: entry["value"] for entry in registration["kubeletExtraArgs"]}
    return set(arguments["node-labels"].split(",")), registration["taints"]


def test_node_knows_its_place_and_its_pools_labels_and_taints():
    machine = make_node()
    machine.cluster.region, machine.placement.zone = "europe", "zone-a"
    machine.pool.labels = {"tier": "control"}
    machine.pool.taints = [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]

    labels, taints = labels_of(guest_documents(machine, mac_address=MAC))

    assert labels == {
        "tier=control",
        "topology.kubernetes.io/region=europe",
        "topology.kubernetes.io/zone=zone-a",
    }
    assert taints == [{"key": "gpu", "effect": "NoSchedule", "value": "yes"}]


def test_search_domain_reaches_a_node_with_dhcp():
    machine = make_node(address_allocation=AddressAllocation.DHCP, search_domain="shop.example.com")

    network = decoded(guest_documents(machine, mac_address=MAC), "metadata")["network"]

    assert network["ethernets"]["id0"]["nameservers"] == {"search": ["shop.example.com"]}


def make_profiled_node(**changes):
    machine = make_node(**changes)
    for position, (kind, pack, version) in enumerate(LAYERS, start=1):
        ClusterLayer.objects.create(
            cluster=machine.cluster, kind=kind, position=position, pack=pack, pack_version=version
        )
    return machine


LAYERS = [
    (LayerKind.OS, "ubuntu", "24.04"),
    (LayerKind.KUBERNETES, "kubernetes", "1.36.4"),
    (LayerKind.NETWORK, "calico", "3.33.0"),
    (LayerKind.STORAGE, "vsphere-csi", "3.8.0"),
]


def test_packs_of_the_profile_reach_the_first_node():
    machine = make_profiled_node(kubernetes_version="1.36.4")

    documents = guest_documents(machine, mac_address=MAC)

    paths = [entry["path"] for entry in decoded(documents, "userdata")["write_files"]]
    manifests = [path for path in paths if path.startswith("/etc/palette/manifests/")]
    assert any("calico" in path for path in manifests) and any("csi" in path for path in manifests)
    assert not any("flannel" in path for path in manifests)
    assert "cloud-provider" in file_of(documents, "/run/kubeadm/kubeadm.yaml")


def test_credentials_for_storage_reach_no_other_node():
    machine = make_profiled_node(index=2, kubernetes_version="1.36.4")
    machine.cluster.cloud_account.password = "vCenter-s3cret"

    documents = guest_documents(machine, mac_address=MAC)

    assert "vCenter-s3cret" not in str(decoded(documents, "userdata"))
