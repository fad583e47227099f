import pytest
import yaml

from clusters.profiles.packs import find_pack
from clusters.profiles.placeholders import NoSuchValue
from clusters.profiles.render import ClusterFacts, LayerGroup, PlainLayer, image_of, node_inputs
from clusters.profiles.variables import Variable, VariableType
from palette_portal.bootstrap.errors import BootstrapError
from palette_portal.bootstrap.nodes import ManifestUrl
from palette_portal.bootstrap.secret import Secret

FACTS = ClusterFacts(
    "east",
    endpoint_host="10.0.0.5",
    vcenter_server="vcenter.test:8443",
    datacenter_name="dc 1",
    username="acme\\portal",
    password=Secret('p"a\\s: {{.values.x}} #1'),
)


def render(*more, variables=(), definitions=(), facts=FACTS, kubernetes="", os=""):
    layers = [
        PlainLayer("os", "ubuntu", "24.04", os),
        PlainLayer("kubernetes", "kubernetes", "1.36.4", kubernetes),
        PlainLayer("cni", "calico", "3.33.0"),
        *more,
    ]
    return node_inputs([LayerGroup(layers, definitions, dict(variables))], facts)


def documents(made, name):
    manifest = next(found for found in made.manifests if found.name == name)
    return list(yaml.safe_load_all(manifest.content))


def test_profile_says_which_image_and_networks_nodes_have():
    made = render(kubernetes="networking:\n  podCidr: 10.244.0.0/16\n")

    assert (made.os_image, made.image_template) == ("Ubuntu 24.04", "r_u-2404-0-k-1364-0")
    assert (made.image_url, made.kubernetes_version) == ("", "1.36.4")
    assert (made.pod_cidr, made.service_cidr) == ("10.244.0.0/16", "10.96.0.0/12")
    assert made.external_cloud_provider is False


def test_kubeadm_documents_are_changed_by_the_values_of_kubernetes():
    made = render(
        kubernetes="apiServer:\n  extraArgs:\n    oidc-client-id: portal\nkubelet:\n  maxPods: 50\n"
    )

    assert made.kubeadm["KubeletConfiguration"]["maxPods"] == 50
    assert made.kubeadm["ClusterConfiguration"]["apiServer"]["extraArgs"] == {
        "profiling": "false",
        "oidc-client-id": "portal",
    }


def test_manifests_come_in_the_order_of_layers_and_deliveries():
    made = render(PlainLayer("add-on", "metallb", "0.15.3"))

    assert [manifest.name for manifest in made.manifests] == [
        "calico-resources",
        "calico-operator",
        "calico-installation",
        "metallb",
        "metallb-addresses",
    ]
    assert isinstance(made.manifests[0], ManifestUrl)


def test_pod_network_of_kubernetes_reaches_the_network_pack():
    made = render(kubernetes="networking:\n  podCidr: 10.244.0.0/16\n")

    installation, _ = documents(made, "calico-installation")
    assert installation["spec"]["calicoNetwork"]["ipPools"][0]["cidr"] == "10.244.0.0/16"


def test_storage_brings_the_cloud_provider_of_the_kubernetes_version():
    made = render(PlainLayer("csi", "vsphere-csi", "3.8.0"))

    assert made.external_cloud_provider is True
    daemon = documents(made, "vsphere-cloud-provider")[-1]
    image = daemon["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "registry.k8s.io/cloud-pv-vsphere/cloud-provider-vsphere:v1.36.0"


def test_login_of_vcenter_stands_in_the_secrets_whatever_it_holds():
    made = render(PlainLayer("csi", "vsphere-csi", "3.8.0"))

    login = next(found for found in documents(made, "vsphere-cloud-provider") if found["kind"] == "Secret")
    assert login["stringData"] == {
        "vcenter.test.username": "acme\\portal",
        "vcenter.test.password": 'p"a\\s: {{.values.x}} #1',
    }
    (driver,) = documents(made, "vsphere-csi-login")
    lines = driver["stringData"]["csi-vsphere.conf"].splitlines()
    assert 'password = "p\\"a\\\\s: {{.values.x}} #1"' in lines
    assert 'datacenters = "dc 1"' in lines
    assert 'port = "8443"' in lines


def test_configuration_of_the_cloud_provider_is_yaml():
    made = render(PlainLayer("csi", "vsphere-csi", "3.8.0", "vcenter:\n  insecure: true\n"))

    found = next(item for item in documents(made, "vsphere-cloud-provider") if item["kind"] == "ConfigMap")
    configuration = yaml.safe_load(found["data"]["vsphere.conf"])
    assert configuration["global"]["insecureFlag"] is True
    assert configuration["vcenter"]["vcenter.test"]["datacenters"] == ["dc 1"]


@pytest.mark.parametrize("value", ["10.0.0.1-10.0.0.9", 'x"\n  - y: {z', "{{.spectro.var.OTHER}}"])
def test_variable_becomes_one_scalar_whatever_it_holds(value):
    made = render(
        PlainLayer("add-on", "metallb", "0.15.3", "addresses: ['{{.spectro.var.RANGE}}']"),
        variables={"RANGE": value},
        definitions=[Variable("RANGE"), Variable("OTHER", default="no")],
    )

    pool, _ = documents(made, "metallb-addresses")
    assert pool["spec"]["addresses"] == [value]


def test_typed_variable_keeps_its_type_in_the_manifest():
    made = render(
        PlainLayer("add-on", "metallb", "0.15.3", "autoAssign: {{.spectro.var.AUTO}}"),
        variables={"AUTO": "false"},
        definitions=[Variable("AUTO", type=VariableType.BOOLEAN)],
    )

    pool, _ = documents(made, "metallb-addresses")
    assert pool["spec"]["autoAssign"] is False


def test_secrets_hide_in_repr():
    made = render(
        PlainLayer("csi", "vsphere-csi", "3.8.0"),
        kubernetes="apiServer:\n  extraArgs:\n    token: '{{.spectro.var.TOKEN}}'\n",
        variables={"TOKEN": "hunter2"},
        definitions=[Variable("TOKEN", masked=True)],
    )

    assert made.kubeadm["ClusterConfiguration"]["apiServer"]["extraArgs"]["token"] == "hunter2"
    for shown in (repr(made), str(made), repr(FACTS), repr(made.manifests)):
        assert "hunter2" not in shown
        assert 'p"a' not in shown


def test_chart_is_a_job_that_changes_its_name_with_its_values():
    names = []
    for replicas in (1, 2, 2):
        made = render(PlainLayer("add-on", "metrics-server", "0.8.1", f"replicas: {replicas}"))
        secret, job = documents(made, "metrics-server")[-2:]
        assert yaml.safe_load(secret["stringData"]["values.yaml"])["replicas"] == replicas
        names.append(job["metadata"]["name"])

    assert names[0] != names[1] == names[2]


def test_chart_is_installed_in_its_fixed_version():
    made = render(PlainLayer("cni", "cilium", "1.20.3"))

    job = documents(made, "cilium")[-1]
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert arguments[:4] == ["upgrade", "--install", "cilium", "cilium"]
    assert arguments[arguments.index("--version") + 1] == "1.20.3"


@pytest.mark.parametrize(
    ("values", "store", "image"),
    [
        ({}, "", ("r_u-2404-0-k-1371-0", "")),
        (
            {},
            "https://images.test/ova/",
            ("r_u-2404-0-k-1371-0", "https://images.test/ova/r_u-2404-0-k-1371-0.ova"),
        ),
        ({"template": "mine"}, "", ("mine", "")),
        ({"template": "mine", "url": "https://a.test/x.ova"}, "", ("mine", "https://a.test/x.ova")),
    ],
)
def test_image_is_the_packs_unless_the_values_name_one(values, store, image):
    ubuntu = find_pack("ubuntu", "24.04")

    assert image_of(ubuntu, {"image": values}, "1.37.1", images_url=store) == image


def test_image_of_an_unknown_kubernetes_version_is_none():
    assert image_of(find_pack("ubuntu", "24.04"), {}, "1.20.0", images_url="https://images.test") == ("", "")


@pytest.mark.parametrize(
    "url", ["http://plain.test/x.yaml", "https://a.test/$(id)", "https://a.test/a b", ""]
)
def test_address_of_a_manifest_holds_nothing_a_shell_reads(url):
    with pytest.raises(BootstrapError):
        ManifestUrl("x", url)


@pytest.mark.parametrize("given", [{}, {"AUTO": "perhaps"}])
def test_values_that_do_not_fit_are_not_rendered(given):
    auto = Variable("AUTO", type=VariableType.BOOLEAN, required=True)

    with pytest.raises(NoSuchValue):
        render(variables=given, definitions=[auto])


def test_value_of_a_variable_that_a_newer_version_lacks_is_not_looked_at():
    assert render(variables={"OLD": "x"}).kubernetes_version == "1.36.4"


def test_optional_variable_without_value_leaves_the_packs_default():
    made = render(
        PlainLayer("add-on", "metallb", "0.15.3", "autoAssign: {{.spectro.var.AUTO}}"),
        definitions=[Variable("AUTO", type=VariableType.BOOLEAN)],
    )

    pool, _ = documents(made, "metallb-addresses")
    assert pool["spec"]["autoAssign"] is True
