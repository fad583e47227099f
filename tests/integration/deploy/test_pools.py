"""The fifth page: node pools that fit together, their zones, and addresses that suffice."""

from typing import Any

import pytest
from django.core.cache import cache

from clusters.deploy.drafts import POOLS, is_complete, page_values
from clusters.models import DeployDraft
from ippools.models import IPPool
from tests.factories import make_pool
from tests.integration.deploy.walk import DeployWalk, errors_of, options_of, text_of
from tests.lab.api import VSphere


def test_first_visit_has_a_master_and_a_worker_pool(walk: DeployWalk) -> None:
    walk.to_pools()

    page = text_of(walk.get("pools"))

    assert 'name="master-name" value="master-pool"' in page
    assert 'name="w1-name" value="worker-pool"' in page
    assert "az1 (cluster-1)" in page and "480 GB of memory free" in page
    assert options_of(walk.get("pools"), "master-ip_pool") == ["Select…", "rack-7|21 free"]


def test_ticked_zone_offers_what_its_compute_cluster_has(walk: DeployWalk) -> None:
    walk.to_pools()
    moid = walk.zones("cluster-2")[0]

    response = walk.post("pools", {"workers": "w1", "master-zones": [moid]}, then="update")

    assert "cluster-2-vmfs" in "".join(options_of(response, f"master-{moid}-datastore"))
    assert "cluster-1-vmfs" not in "".join(options_of(response, f"master-{moid}-datastore"))
    assert POOLS not in walk.draft.pages, "only redrawn"


def test_next_zone_suggests_what_the_first_one_has(walk: DeployWalk) -> None:
    walk.to_pools()
    first, second = walk.zones("cluster-1", "cluster-2")
    sent = walk.pool("master", {"name": "master-pool"}, "cluster-1")

    page = text_of(
        walk.post("pools", {**sent, "master-zones": [first, second], "workers": ""}, then="update")
    )

    for choice, name in (("resource_pool", "Resources/platform"), ("network", "k8s-nodes")):
        select = page.split(f'<select name="master-{second}-{choice}"')[1].split("</select>")[0]
        assert f"<span>{name}</span>" in select.split(" selected")[1].split("</option>")[0]


def test_worker_pool_is_added_removed_and_copied(walk: DeployWalk) -> None:
    walk.to_pools()
    sent = walk.pools(w1={"instance_type": "small"})

    added = text_of(walk.post("pools", sent, then="add-worker"))
    removed = text_of(walk.post("pools", sent, then="remove-w1"))
    copied = text_of(walk.post("pools", sent, then="copy-w1"))

    assert 'name="workers" value="w1,w2"' in added and 'value="worker-pool-2"' in added
    assert 'name="workers" value=""' in removed
    assert 'name="w1-instance_type" value="medium"' in copied.replace('" checked', "")
    assert 'id="id_w1-instance_type_1" checked' in copied or "checked" in copied.split("w1-instance_type")[2]


@pytest.mark.parametrize(
    ("field", "changes", "said"),
    [
        ("w1-name", {"w1-name": ""}, "Fill in Name."),
        ("w1-name", {"w1-name": "Big Pool"}, "such as big-pool"),
        ("w1-name", {"w1-name": "cp"}, "how the master pool"),
        ("w1-name", {"w1-name": "master-pool"}, "Another pool has this name."),
        ("w1-size", {"w1-size": "0"}, "greater than or equal to 1"),
        ("w1-size", {"w1-size": "many"}, "whole number"),
        ("w1-disk_gib", {"w1-disk_gib": "5"}, "greater than or equal to 20"),
        ("w1-labels", {"w1-labels": "tier=web, kubernetes.io/role=x"}, "belongs to Kubernetes"),
        ("w1-labels", {"w1-labels": "tier=we b!"}, "is not a label"),
        ("w1-taints", {"w1-taints": "dedicated=gpu"}, "needs an effect"),
        ("w1-taints", {"w1-taints": "a=b:NoSchedule, a=c:NoSchedule"}, "is there twice"),
        ("w1-num_cpus", {"w1-instance_type": "custom", "w1-memory_gb": "8"}, "Fill in CPU."),
        (
            "w1-maximum_size",
            {"w1-autoscales": "on", "w1-minimum_size": "5", "w1-maximum_size": "2"},
            "less than",
        ),
        ("w1-minimum_size", {"w1-autoscales": "on", "w1-maximum_size": "2"}, "Fill in Minimum Size."),
        (
            "w1-surge",
            {"w1-rolling_update": "custom", "w1-surge": "0", "w1-unavailable": "0"},
            "cannot both be 0",
        ),
        ("w1-zones", {"w1-zones": []}, "Select at least one availability zone."),
        ("master-ip_pool", {"master-ip_pool": ""}, "Select an IP pool."),
        ("master-size", {"master-size": "2"}, "valid choice"),
    ],
)
def test_wrong_value_is_refused_at_its_field(
    walk: DeployWalk, field: str, changes: dict[str, Any], said: str
) -> None:
    walk.to_pools()

    response = walk.post("pools", {**walk.pools(), **changes})

    assert response.status_code == 422
    assert said in errors_of(response)[field]
    assert not is_complete(walk.draft, POOLS)


def test_names_that_begin_alike_are_refused(walk: DeployWalk) -> None:
    walk.to_pools()
    long = "workers-for-the-night-shift"

    response = walk.post("pools", walk.pools(w1={"name": f"{long}-1"}, w2={"name": f"{long}-2"}))

    assert "The first 20 letters" in errors_of(response)["w2-name"]


def test_values_that_do_not_count_are_not_checked(walk: DeployWalk) -> None:
    walk.to_pools()

    walk.accept("pools", {**walk.pools(), "w1-num_cpus": "lots", "w1-surge": "x", "w1-maximum_size": ""})

    assert page_values(walk.draft, POOLS)["workers"][0]["num_cpus"] == 8


def test_without_workers_the_master_has_to_take_workloads(walk: DeployWalk) -> None:
    walk.to_pools()
    sent = {
        **walk.pool("master", {"name": "m", "size": "1", "instance_type": "small", "disk_gib": "60"}),
        "workers": "",
    }

    refused = walk.post("pools", sent)

    assert "Workloads have nowhere to run" in text_of(refused)
    walk.accept("pools", {**sent, "master-takes_workloads": "on"})
    assert len(page_values(walk.draft, POOLS)["workers"]) == 0
    assert 'name="workers" value=""' in text_of(walk.get("pools")), "none comes back by itself"


def test_pools_together_need_more_than_the_ip_pool_has(walk: DeployWalk) -> None:
    walk.to_pools()

    response = walk.post("pools", walk.pools(w1={"size": "30"}))

    assert "21 addresses free" in errors_of(response)["master-ip_pool"]
    assert "and 34 are needed" in errors_of(response)["master-ip_pool"]


def test_autoscaler_reserves_for_its_maximum(walk: DeployWalk) -> None:
    walk.to_pools()
    scaled = {"autoscales": "on", "minimum_size": "1", "maximum_size": "40"}

    need = text_of(walk.post("pools", walk.pools(w1=scaled), then="need", headers={"HX-Request": "true"}))

    assert 'id="deploy-need"' in need and "and 44 are needed" in need
    assert POOLS not in walk.draft.pages


def test_restricted_pool_of_another_cluster_is_refused(walk: DeployWalk) -> None:
    walk.to_pools()
    IPPool.objects.filter(pk=walk.ip_pool.pk).update(
        restrict_to_single_cluster=True, reserved_for="00000000-0000-4000-8000-000000000001"
    )

    response = walk.post("pools", walk.pools())

    assert "another cluster uses it" in errors_of(response)["master-ip_pool"]


def test_pool_of_another_gateway_is_refused(walk: DeployWalk) -> None:
    foreign = make_pool()
    walk.to_pools()

    response = walk.post("pools", {**walk.pools(), "w1-ip_pool": str(foreign.pk)})

    assert "does not exist any more" in errors_of(response)["w1-ip_pool"]


def test_machine_of_that_name_in_the_folder_is_told(walk: DeployWalk, vcenter: VSphere) -> None:
    walk.to_pools()
    vcenter.create_machine("payments-prod-worker-pool-2", folder="palette-clusters")

    response = walk.post("pools", walk.pools())

    assert "holds a virtual machine payments-prod-worker-pool-2" in errors_of(response)["w1-name"]


def test_choices_that_went_are_dropped_and_named(walk: DeployWalk) -> None:
    walk.to_review()
    draft = walk.draft
    zone = draft.pages[POOLS]["values"]["master"]["zones"][0]
    zone["network"], zone["names"]["network"] = "dvportgroup-999", "old-nodes"
    DeployDraft.objects.filter(pk=draft.pk).update(pages=draft.pages)

    page = text_of(walk.get("pools"))

    assert "No longer there: Network “old-nodes”." in page


def test_choices_with_new_ids_are_found_by_their_names(walk: DeployWalk) -> None:
    walk.to_review()
    draft = walk.draft
    zone = draft.pages[POOLS]["values"]["master"]["zones"][0]
    known, zone["network"] = zone["network"], "dvportgroup-999"
    DeployDraft.objects.filter(pk=draft.pk).update(pages=draft.pages)

    page = text_of(walk.get("pools"))

    assert "No longer there" not in page and f'value="{known}" selected' in page


def test_page_is_read_again_after_an_outage(walk: DeployWalk) -> None:
    walk.to_pools()
    cache.clear()
    walk.lab.unreachable(600)

    gone = text_of(walk.get("pools", {"wait": "1"}))
    walk.lab.reachable()
    back = text_of(walk.get("pools", {"wait": "1"}))

    assert "The inventory cannot be read" in gone and "Try again" in gone
    assert "az1 (cluster-1)" in back


def test_single_field_of_a_pool_is_checked(walk: DeployWalk) -> None:
    walk.to_pools()

    response = walk.check("pools", "w1-labels", {**walk.pools(), "w1-labels": "no good!"})

    assert 'class="field invalid" id="id_w1-labels_field"' in text_of(response)
