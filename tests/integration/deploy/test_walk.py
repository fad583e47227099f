"""Every page in order, from the name to the cluster's page, and what becomes of it."""

import pytest
from pytest_django import DjangoAssertNumQueries

from clusters.models import Cluster, DeployDraft, PoolRole
from palette_portal.tenants.models import AuditRow
from tests.integration.deploy.walk import HTMX, PAGES, DeployWalk, text_of


def test_walk_from_the_first_page_to_the_cluster(walk: DeployWalk) -> None:
    walk.to_review()

    page, report, response = text_of(walk.get("review")), text_of(walk.report()), walk.confirm()

    cluster = Cluster.objects.get()
    assert "payments-prod-cp-1" in page and "payments-prod-worker-pool-2" in page
    assert "10.10.183.20" in page
    assert 'data-tone="bad"' not in report
    assert response.url == f"/clusters/{cluster.pk}/"
    assert (cluster.name, cluster.project, cluster.tags) == (
        "payments-prod",
        walk.project,
        ["env:prod", "critical"],
    )
    assert cluster.kubernetes_version == "1.36.4"
    assert [layer.pack for layer in cluster.layers.all()] == ["ubuntu", "kubernetes", "calico", "vsphere-csi"]


def test_walk_makes_the_pools_as_they_were_asked_for(walk: DeployWalk) -> None:
    walk.to_review(
        master={"size": "3", "labels": "tier=control", "takes_workloads": "on"},
        w1={
            "taints": "dedicated=web:NoSchedule",
            "rolling_update": "custom",
            "surge": "2",
            "unavailable": "1",
        },
        w2={"name": "gpu", "autoscales": "on", "minimum_size": "2", "maximum_size": "4"},
    )

    walk.confirm()

    master = Cluster.objects.get().machine_pools.get(role=PoolRole.CONTROL_PLANE)
    worker, gpu = (Cluster.objects.get().machine_pools.get(name=name) for name in ("worker-pool", "gpu"))
    assert (master.size, master.labels, master.takes_workloads) == (3, {"tier": "control"}, True)
    assert worker.taints == [{"key": "dedicated", "value": "web", "effect": "NoSchedule"}]
    assert (worker.surge, worker.unavailable, worker.instance_type) == (2, 1, "large")
    assert (gpu.autoscales, gpu.size, gpu.minimum_size, gpu.maximum_size) == (True, 2, 2, 4)
    assert [place.zone for place in worker.placements.all()] == ["az1", "az2"]
    assert [machine.placement.zone for machine in worker.machines.all()] == ["az1", "az2"]


def test_walk_writes_who_did_what(walk: DeployWalk) -> None:
    walk.to_review()
    walk.confirm()

    actions = list(AuditRow.objects.filter(user=walk.user).order_by("at").values_list("action", flat=True))

    assert actions[0] == "create-draft"
    assert actions[1:5] == ["save-draft"] * 4
    assert actions[-1] == "deploy"


def test_deploy_pressed_twice_makes_one_cluster(walk: DeployWalk) -> None:
    walk.to_review()

    first, second = walk.confirm(), walk.confirm()

    assert first.url == second.url
    assert Cluster.objects.count() == 1


def test_draft_that_was_deployed_leads_to_the_cluster(walk: DeployWalk) -> None:
    walk.to_review()
    walk.confirm()

    urls = {walk.get(page).url for page in PAGES} | {
        walk.client.get(f"/clusters/deploy/{walk.draft.pk}/").url
    }

    assert urls == {f"/clusters/{Cluster.objects.get().pk}/"}
    assert walk.draft.variables == ""
    assert str(walk.draft.pk) not in text_of(walk.client.get("/clusters/deploy/"))


@pytest.mark.parametrize("page", PAGES)
def test_page_and_part_are_the_same_but_for_the_shell(walk: DeployWalk, page: str) -> None:
    walk.to_review()

    whole, part = walk.get(page), walk.get(page, headers=HTMX)

    assert "<html" in text_of(whole) and "<html" not in text_of(part)
    assert f'id="deploy-{page}"' in text_of(whole) and f'id="deploy-{page}"' in text_of(part)
    assert "HX-Request" in part["Vary"]
    assert "no-store" in whole["Cache-Control"]


@pytest.mark.parametrize(
    ("page", "queries"),
    [("basics", 10), ("profile", 14), ("parameters", 11), ("placement", 11), ("pools", 14), ("review", 22)],
)
def test_page_asks_the_database_little(
    walk: DeployWalk, page: str, queries: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    walk.to_review()

    with django_assert_max_num_queries(queries):
        walk.get(page)


def test_start_asks_the_database_as_little_with_many_drafts(
    walk: DeployWalk, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        DeployDraft.objects.create(project=walk.project, created_by=walk.user)

    with django_assert_max_num_queries(10):
        walk.client.get("/clusters/deploy/")
