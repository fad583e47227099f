import pytest

from gateways.prerequisites.objects import Objects
from gateways.prerequisites.scope import Place, Scope
from gateways.prerequisites.zones import zone_lines
from palette_portal.vsphere.inventory import ComputeCluster, Datacenter, Inventory
from palette_portal.vsphere.survey import Survey
from palette_portal.vsphere.tags import REGION_CATEGORY, ZONE_CATEGORY, Tag, Tagging

BOTH = frozenset({REGION_CATEGORY, ZONE_CATEGORY})


def objects(*chosen):
    clusters = tuple(ComputeCluster(f"domain-{n}", f"cluster-{n}", "dc", "", (), (), ()) for n in (1, 2))
    inventory = Inventory((Datacenter("dc", "dc-1", "dc-1"),), clusters, (), (), (), (), ())
    places = tuple(Place("", f"domain-{n}", "", "", "") for n in chosen)
    return Objects(Scope(places=places), Survey(inventory, {}, {}, {}, frozenset(), "", ""), "group-d1", {})


def tagging(region="east", zones=("az1", "az2"), categories=BOTH):
    tags = {"dc": (Tag(REGION_CATEGORY, region),) if region else ()}
    for number, zone in enumerate(zones, 1):
        tags[f"domain-{number}"] = (Tag("backup", "daily"), *([Tag(ZONE_CATEGORY, zone)] if zone else []))
    return Tagging(tags, categories)


def levels(found):
    return [(line.object_name, line.level) for line in found if line.level != "passed"]


def test_tags_with_values_of_their_own_pass():
    assert levels(zone_lines(objects(1, 2), tagging())) == []


def test_missing_tag_fails_a_deployment_over_several_zones():
    assert levels(zone_lines(objects(1, 2), tagging(zones=("az1", "")))) == [("cluster-2", "failed")]


def test_missing_tag_warns_where_one_zone_or_none_is_chosen():
    assert levels(zone_lines(objects(), tagging(zones=("az1", "")))) == [("cluster-2", "warning")]
    assert levels(zone_lines(objects(1), tagging(region=""))) == [("dc-1", "warning")]


def test_other_compute_clusters_do_not_count():
    assert levels(zone_lines(objects(1), tagging(zones=("az1", "az1")))) == []


def test_value_on_two_compute_clusters_fails():
    found = levels(zone_lines(objects(1, 2), tagging(zones=("az1", "az1"))))

    assert found == [("cluster-1", "failed"), ("cluster-2", "failed")]


def test_missing_category_is_named():
    found = list(zone_lines(objects(1, 2), tagging(categories=frozenset({ZONE_CATEGORY}))))

    assert (found[0].object_name, found[0].level) == (REGION_CATEGORY, "failed")


@pytest.mark.parametrize("value", ["a", "MyValue", "my_value", "12345", "a.b-c_d", "x" * 63])
def test_valid_values(value):
    assert levels(zone_lines(objects(1, 2), tagging(region=value))) == []


@pytest.mark.parametrize("value", ["-a", "a-", "a b", "ä", "a/b", ".a", "x" * 64, "a\n"])
def test_invalid_values(value):
    (found,) = [line for line in zone_lines(objects(1, 2), tagging(region=value)) if line.level == "failed"]

    assert "not a valid value" in found.sentence
