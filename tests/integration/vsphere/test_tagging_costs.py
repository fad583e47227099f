"""Tags over REST: what they cost, and which dialect is spoken first."""

import pytest

from palette_portal.vsphere.inventory import Inventory
from palette_portal.vsphere.pipelining import Answer
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.tags import Tag, places_of, read_tagging
from tests.lab.vcsim import Lab


def objects(inventory: Inventory) -> list[tuple[str, str]]:
    clusters = [("ClusterComputeResource", cluster.moid) for cluster in inventory.compute_clusters]
    return [("Datacenter", inventory.datacenters[0].moid), *clusters]


def test_all_tags_cost_four_round_trips(vcenter: VCenter, inventory: Inventory, lab: Lab) -> None:
    before = vcenter.round_trips

    tagging = read_tagging(vcenter, objects(inventory))

    assert vcenter.round_trips - before == 4
    assert {"k8s-region", "k8s-zone"} <= tagging.categories
    assert tagging.tags[inventory.datacenters[0].moid] == (Tag("k8s-region", "region1"),)
    assert sorted(places_of(tagging.tags, inventory).zones.values()) == ["az1", "az2", "az3"]
    assert [session["kind"] for session in lab.sessions()] == ["soap"]


def test_server_that_answers_one_question_at_a_time_is_read_too(
    vcenter: VCenter, inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_arguments: object) -> list[Answer]:
        return []

    together = read_tagging(vcenter, objects(inventory))
    monkeypatch.setattr("palette_portal.vsphere.rest.ask_in_one_go", nothing)

    assert read_tagging(vcenter, objects(inventory)) == together


def test_many_categories_are_not_all_read(
    vcenter: VCenter, inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = read_tagging(vcenter, objects(inventory))
    monkeypatch.setattr("palette_portal.vsphere.tags.MANY_CATEGORIES", 0)

    assert read_tagging(vcenter, objects(inventory)) == together


def test_dialect_that_is_not_spoken_is_tried_and_left(
    vcenter: VCenter, inventory: Inventory, lab: Lab
) -> None:
    """A vCenter newer than known is asked in the newer dialect first; the simulator knows the older only."""
    vcenter.content.about.version = "9.0.0"
    lab.forget_calls()

    assert read_tagging(vcenter, objects(inventory)).tags

    assert lab.calls()["POST /api/session"] == 1
    assert lab.calls()["POST /rest/com/vmware/cis/session"] == 1
