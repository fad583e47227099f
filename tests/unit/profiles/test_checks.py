import pytest

from clusters.profiles.checks import findings_on
from clusters.profiles.models import ProfileType
from clusters.profiles.render import PlainLayer
from clusters.profiles.variables import Variable, VariableType

COMPLETE = {
    "os": PlainLayer("os", "ubuntu", "24.04"),
    "kubernetes": PlainLayer("kubernetes", "kubernetes", "1.36.4"),
    "cni": PlainLayer("cni", "calico", "3.33.0"),
    "csi": PlainLayer("csi", "vsphere-csi", "3.8.0"),
}
METALLB = PlainLayer("add-on", "metallb", "0.15.3")


def told(type=ProfileType.FULL, variables=(), more=(), **changes):
    layers = [layer for layer in {**COMPLETE, **changes}.values() if layer] + list(more)
    return [
        (finding.pack, finding.message, finding.is_warning)
        for finding in findings_on(type, layers, variables)
    ]


def test_complete_profile_has_nothing_against_it():
    assert told() == []
    assert told(ProfileType.INFRASTRUCTURE) == []


@pytest.mark.parametrize(
    ("kind", "label"), [("os", "OS"), ("kubernetes", "Kubernetes"), ("cni", "Network"), ("csi", "Storage")]
)
@pytest.mark.parametrize("type", [ProfileType.FULL, ProfileType.INFRASTRUCTURE])
def test_missing_layer_is_named(type, kind, label):
    assert ("", f"The layer {label} is missing.", False) in told(type, **{kind: None})


def test_infrastructure_takes_no_add_on():
    assert told(ProfileType.INFRASTRUCTURE, more=[METALLB]) == [
        ("metallb", "This profile takes no such layer.", False)
    ]


def test_add_on_profile_takes_only_add_ons_and_needs_one():
    assert [pack for pack, _, _ in told(ProfileType.ADD_ON)] == [
        "",
        "ubuntu",
        "kubernetes",
        "calico",
        "vsphere-csi",
    ]
    assert findings_on(ProfileType.ADD_ON, [METALLB]) == []


def test_wrong_values_are_told_with_their_layer_and_line():
    wrong = PlainLayer("cni", "calico", "3.33.0", "# mine\nmtu: big")

    layers = list({**COMPLETE, "cni": wrong}.values())

    (finding,) = findings_on(ProfileType.FULL, layers)

    assert (finding.pack, finding.line) == ("calico", 2)


def test_pack_that_left_the_catalogue_is_named():
    assert ("calico", "The catalogue has no pack calico 1.0.0.", False) in told(
        cni=PlainLayer("cni", "calico", "1.0.0")
    )


def test_network_that_is_not_made_for_the_kubernetes_version_stands_against_publishing():
    new = PlainLayer("kubernetes", "kubernetes", "1.37.1")

    assert told(kubernetes=new, cni=PlainLayer("cni", "calico", "3.32.2"), csi=None)[1:] == [
        ("calico", "Calico 3.32.2 is made for Kubernetes 1.34 to 1.36, not 1.37.1.", False)
    ]


def test_storage_that_was_not_tested_with_the_kubernetes_version_is_a_warning():
    assert told(kubernetes=PlainLayer("kubernetes", "kubernetes", "1.37.1")) == [
        ("vsphere-csi", "vSphere CSI 3.8.0 is made for Kubernetes 1.34 to 1.36, not 1.37.1.", True)
    ]


def test_system_without_an_image_for_the_kubernetes_version_is_told(monkeypatch):
    from clusters.profiles import checks

    monkeypatch.setattr(checks, "image_of", lambda *_: ("", ""))

    ((pack, message, is_warning),) = told()
    assert (pack, is_warning) == ("ubuntu", False)
    assert "There is no image of Ubuntu 24.04 with Kubernetes 1.36.4" in message


def test_networks_that_overlap_are_told():
    values = "networking:\n  podCidr: 10.96.0.0/16\n"

    assert told(kubernetes=PlainLayer("kubernetes", "kubernetes", "1.36.4", values)) == [
        ("kubernetes", "The pod network and the service network overlap.", False)
    ]


def test_network_that_a_cluster_gives_is_not_compared():
    values = "networking:\n  podCidr: '{{.spectro.var.PODS}}'\n"
    pods = Variable("PODS", type=VariableType.IPV4_CIDR)

    assert told(kubernetes=PlainLayer("kubernetes", "kubernetes", "1.36.4", values), variables=[pods]) == []


def test_variable_that_nothing_uses_is_a_warning():
    assert told(variables=[Variable("IDLE")]) == [("", "No layer uses the variable IDLE.", True)]
