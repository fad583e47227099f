"""Profiles on top of each other: whose variable is whose, and which packs cannot be together."""

from uuid import UUID

import pytest
import yaml

from clusters.profiles.models import ClusterProfile, ProfileType, ProfileVersion
from clusters.profiles.placeholders import NoSuchValue
from clusters.profiles.render import ClusterFacts, LayerGroup, PlainLayer, node_inputs
from clusters.profiles.stack import pack_twice, stacked, values_in
from clusters.profiles.variables import Variable

RANGE = Variable("RANGE", required=True)
RECIPE = [
    PlainLayer("os", "ubuntu", "24.04"),
    PlainLayer("kubernetes", "kubernetes", "1.36.4"),
    PlainLayer("cni", "calico", "3.33.0"),
]
METALLB = PlainLayer("add-on", "metallb", "0.15.3", 'addresses: ["{{.spectro.var.RANGE}}"]\n')
METRICS = PlainLayer("add-on", "metrics-server", "0.8.1", 'args: ["--{{.spectro.var.RANGE}}"]\n')


def version(name, number, *, variables=()):
    profile = ClusterProfile(id=UUID(int=number), name=name, type=ProfileType.ADD_ON)
    rows = [variable.as_json() for variable in variables]
    return ProfileVersion(id=UUID(int=number + 100), profile=profile, version="1.0.0", variables=rows)


def test_variables_of_the_same_name_are_kept_apart():
    own, lb, metrics = stacked(
        version("starter", 1), [version("lb", 2, variables=[RANGE]), version("metrics", 3, variables=[RANGE])]
    )
    given = {own.key("RANGE"): "a", lb.key("RANGE"): "b", metrics.key("RANGE"): "c"}

    assert [one.values(given) for one in (own, lb, metrics)] == [
        {"RANGE": "a"},
        {"RANGE": "b"},
        {"RANGE": "c"},
    ]
    assert own.key("RANGE") == "RANGE", "as it was stored before there were add-on profiles"
    assert values_in("", given) == {"RANGE": "a"}


def test_stack_without_an_own_profile_has_the_add_ons_only():
    assert [str(one.version) for one in stacked(None, [version("lb", 2)])] == ["lb 1.0.0"]


def test_packs_of_add_on_profiles_come_last_each_with_its_own_variables():
    groups = [
        LayerGroup(RECIPE),
        LayerGroup([METALLB], [RANGE], {"RANGE": "10.0.0.10-10.0.0.20"}),
        LayerGroup([METRICS], [RANGE], {"RANGE": "v=2"}),
    ]

    made = node_inputs(groups, ClusterFacts("east"))

    names = [manifest.name for manifest in made.manifests]
    assert names[-3:] == ["metallb", "metallb-addresses", "metrics-server"]
    addresses, metrics = made.manifests[-2].content, made.manifests[-1].content
    assert next(yaml.safe_load_all(addresses))["spec"]["addresses"] == ["10.0.0.10-10.0.0.20"]
    assert "--v=2" in metrics and "10.0.0.10" not in metrics


def test_order_of_add_on_profiles_is_the_order_of_their_manifests():
    one = LayerGroup([METALLB], [RANGE], {"RANGE": "10.0.0.0/28"})
    two = LayerGroup([METRICS], [RANGE], {"RANGE": "v=2"})

    made = node_inputs([LayerGroup(RECIPE), two, one], ClusterFacts("east"))

    assert [manifest.name for manifest in made.manifests][-3:] == [
        "metrics-server",
        "metallb",
        "metallb-addresses",
    ]


def test_add_on_profile_without_its_needed_variable_is_refused():
    groups = [LayerGroup(RECIPE, [RANGE], {"RANGE": "10.0.0.0/28"}), LayerGroup([METALLB], [RANGE])]

    with pytest.raises(NoSuchValue, match="RANGE is needed"):
        node_inputs(groups, ClusterFacts("east"))


def test_pack_that_two_profiles_have_is_named_with_both():
    said = pack_twice([(version("starter", 1), [*RECIPE, METRICS]), (version("monitoring", 2), [METRICS])])

    assert said.startswith("Metrics Server is in starter 1.0.0 and in monitoring 1.0.0,")


def test_pack_that_the_catalogue_lost_is_named_by_its_key():
    lost = PlainLayer("add-on", "gone", "1")

    assert pack_twice([(version("a", 1), [lost]), (version("b", 2), [lost])]).startswith("gone is in a 1.0.0")


def test_different_packs_go_together():
    assert pack_twice([(version("starter", 1), RECIPE), (version("monitoring", 2), [METRICS])]) == ""
