"""The catalogue itself: every pack is valid, every template names only what there is."""

import itertools

import pytest
from jsonschema import Draft202012Validator

from clusters.profiles.charts import chart_manifest
from clusters.profiles.models import LayerKind
from clusters.profiles.packs import NoSuchPack, find_pack, load_catalog
from clusters.profiles.render import ClusterFacts, LayerGroup, PlainLayer, node_inputs
from clusters.profiles.values import check_values, merged_values
from clusters.profiles.versions import numbers
from palette_portal.bootstrap.nodes import Manifest, ManifestUrl
from palette_portal.bootstrap.secret import Secret

VERSIONS = [version for pack in load_catalog().packs for version in pack.versions]
KUBERNETES = load_catalog().find("kubernetes")


def ids(version):
    return f"{version.pack}-{version.version}"


def layers(**changes):
    chosen = {"os": "ubuntu 24.04", "kubernetes": "kubernetes 1.36.4", "cni": "calico 3.33.0"}
    return [PlainLayer(kind, *pack.split()) for kind, pack in {**chosen, **changes}.items()]


@pytest.mark.parametrize("version", VERSIONS, ids=ids)
def test_schema_is_a_schema_and_takes_the_defaults(version):
    Draft202012Validator.check_schema(version.schema)

    assert check_values(version, "") == []
    assert check_values(version, version.default_values) == []


@pytest.mark.parametrize("version", VERSIONS, ids=ids)
def test_schema_says_more_than_that_it_is_a_mapping(version):
    assert version.schema["properties"]
    assert check_values(version, "\n".join(f"{name}: {{x: {{}}}}" for name in version.schema["properties"]))


@pytest.mark.parametrize("version", VERSIONS, ids=ids)
def test_pack_is_rendered_for_each_kubernetes_version(version):
    facts = ClusterFacts(
        "east", "10.0.0.5", "vcenter.test:8443", "dc-1", "portal@vsphere.local", Secret("hush")
    )
    for kubernetes in KUBERNETES.versions:
        chosen = layers(kubernetes=f"kubernetes {kubernetes.version}")
        if version.kind in ("add-on", "csi"):
            chosen.append(PlainLayer(version.kind, version.pack, version.version))
        elif version.kind != "kubernetes":
            chosen = layers(
                kubernetes=f"kubernetes {kubernetes.version}",
                **{version.kind: f"{version.pack} {version.version}"},
            )

        made = node_inputs([LayerGroup(chosen)], facts)

        assert made.kubernetes_version == kubernetes.version
        assert made.image_template
        names = [manifest.name for manifest in made.manifests]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("version", VERSIONS, ids=ids)
def test_delivery_is_exactly_one_thing_of_a_fixed_version(version):
    for delivery in version.deliveries:
        ways = [delivery.url, delivery.manifest, delivery.chart]
        assert len([way for way in ways if way]) == 1
        if delivery.url:
            assert ManifestUrl(delivery.name, delivery.url)
            assert version.version in delivery.url
        if delivery.chart:
            assert isinstance(chart_manifest(delivery.name, delivery.chart, {}), Manifest)
            assert numbers(delivery.chart.version)


def test_each_needed_kind_has_a_pack():
    assert {pack.kind for pack in load_catalog().packs} == set(LayerKind.values)


def test_three_kubernetes_minor_versions_have_an_image_of_each_system():
    minors = [numbers(version.version)[:2] for version in KUBERNETES.versions]

    assert minors == [(1, 37), (1, 36), (1, 35)]
    for system in load_catalog().find("ubuntu").versions:
        assert set(system.images) == {version.version for version in KUBERNETES.versions}


def test_each_kubernetes_version_has_a_network_that_is_made_for_it():
    networks = [version for version in VERSIONS if version.kind == "cni"]

    for kubernetes in KUBERNETES.versions:
        assert {found.pack for found in networks if found.kubernetes.takes(kubernetes.version)} == {
            "calico",
            "cilium",
        }


def test_versions_of_a_pack_stand_newest_first():
    for pack in load_catalog().packs:
        ordered = [numbers(version.version) for version in pack.versions]
        assert all(newer > older for newer, older in itertools.pairwise(ordered))


@pytest.mark.parametrize(("name", "version"), [("calico", "0.0.1"), ("flannel", "1.0.0")])
def test_pack_that_is_not_there_is_named(name, version):
    with pytest.raises(NoSuchPack, match=f"{name} {version}"):
        find_pack(name, version)


def test_values_of_kubernetes_name_both_networks():
    assert set(merged_values(KUBERNETES.versions[0])["networking"]) == {"podCidr", "serviceCidr"}
