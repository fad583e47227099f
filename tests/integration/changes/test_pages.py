"""The pages that change a running cluster: dialogs, the form of a pool, and who may open them."""

from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from clusters.day_two.pool_forms import PREFIX, edit_pool_form, new_pool_form
from clusters.deploy.forms.pool_fields import NodePoolForm
from clusters.deploy.offers import get_offer
from clusters.models import Cluster, Machine, MachinePool, PoolRole
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.tenants.roles import Role
from tests.factories import amelia, bao, carla, make_project, make_user
from tests.integration.changes.scene import finish, machines_of, names, pool_of, run_cluster
from tests.integration.provisioning.stage import Stage

WORKER = PoolRole.WORKER


@pytest.fixture
def cluster(stage: Stage, client: Client) -> Cluster:
    """One master and one worker run; bao, who may change them, is signed in."""
    run_cluster(stage, workers=1)
    client.force_login(bao())
    return stage.cluster


def url(cluster: Cluster, name: str, **ids: Any) -> str:
    return reverse(f"clusters:{name}", kwargs={"cluster_id": cluster.pk, **ids})


def pages(stage: Stage) -> list[str]:
    worker = pool_of(stage, WORKER)
    return [
        url(stage.cluster, "pool-add"),
        url(stage.cluster, "pool-edit", pool_id=worker.pk),
        url(stage.cluster, "pool-resize", pool_id=worker.pk),
        url(stage.cluster, "pool-delete", pool_id=worker.pk),
        url(stage.cluster, "node-replace", machine_id=machines_of(stage, WORKER)[0].pk),
        url(stage.cluster, "change-stop"),
    ]


def posted(form: NodePoolForm, **changes: Any) -> dict[str, Any]:
    """What the browser sends of the form as it is shown, with some fields changed."""
    data: dict[str, Any] = {}
    for part in (form, *form.zone_forms):
        for name, field in part.fields.items():
            bound = part[name]
            value = field.prepare_value(bound.value()) if hasattr(field, "prepare_value") else bound.value()
            if field.disabled or value in (None, False, ""):
                continue
            data[bound.html_name] = "on" if value is True else value
    return {**data, **{f"{PREFIX}-{name}": value for name, value in changes.items()}}


def new_pool(stage: Stage, form: NodePoolForm, **changes: Any) -> dict[str, Any]:
    """A further pool where the workers are."""
    place = machines_of(stage, WORKER)[0].placement
    zone = f"{PREFIX}-{place.compute_cluster_moid}"
    return posted(form, zones=place.compute_cluster_moid, **changes) | {
        f"{zone}-resource_pool": place.resource_pool_moid,
        f"{zone}-datastore": place.datastore_moid,
        f"{zone}-network": place.network_moid,
        "then": "add",
    }


def edit_data(pool: MachinePool, **changes: Any) -> dict[str, Any]:
    assert pool.cluster.cloud_account is not None
    return posted(edit_pool_form(pool, get_offer(pool.cluster.cloud_account)), **changes)


def go_on(stage: Stage) -> Operation:
    stage.operation = Operation.objects.of(stage.cluster.subject).active().get()
    finish(stage)
    return stage.operation


def test_every_page_opens_for_an_editor(stage: Stage, cluster: Cluster, client: Client) -> None:
    for path in pages(stage):
        assert client.get(path).status_code == 200, path


@pytest.mark.parametrize(("person", "status"), [("carla", 404), ("viewer", 403)])
def test_pages_are_not_for_others(
    stage: Stage, cluster: Cluster, client: Client, person: str, status: int
) -> None:
    viewer = make_user("vera", Role.PROJECT_VIEWER, project=make_project())
    client.force_login(carla() if person == "carla" else viewer)

    for path in pages(stage):
        assert client.get(path).status_code == status, path
        assert client.post(path, {}).status_code == status, path
    assert client.post(url(cluster, "repair"), {"repair": "on"}).status_code == status


def test_pool_of_another_cluster_is_not_found(stage: Stage, cluster: Cluster, client: Client) -> None:
    stranger = "11111111-2222-4333-8444-555555555555"

    assert client.get(url(cluster, "pool-edit", pool_id=stranger)).status_code == 404
    assert client.get(url(cluster, "node-replace", machine_id=stranger)).status_code == 404


def test_worker_pool_is_resized(stage: Stage, cluster: Cluster, client: Client) -> None:
    path = url(cluster, "pool-resize", pool_id=pool_of(stage, WORKER).pk)

    assert client.post(path, {"size": "2"}, follow=True).status_code == 200

    go_on(stage)
    assert names(machines_of(stage, WORKER)) == ["shop-workers-1", "shop-workers-2"]


@pytest.mark.parametrize("size", ["", "none", "0", "501", "-1", "1.5"])
def test_size_that_is_none_is_refused_at_the_field(
    stage: Stage, cluster: Cluster, client: Client, size: str
) -> None:
    answer = client.post(url(cluster, "pool-resize", pool_id=pool_of(stage, WORKER).pk), {"size": size})

    assert answer.status_code == 422
    assert "pool-size-error" in answer.content.decode()
    assert not Operation.objects.of(cluster.subject).active().exists()


def test_same_size_is_said(stage: Stage, cluster: Cluster, client: Client) -> None:
    answer = client.post(url(cluster, "pool-resize", pool_id=pool_of(stage, WORKER).pk), {"size": "1"})

    assert answer.status_code == 422
    page = answer.content.decode()
    assert "has 1 node already" in page and "pool-size-error" in page


def test_size_without_room_is_refused_at_the_field(stage: Stage, cluster: Cluster, client: Client) -> None:
    path = url(cluster, "pool-resize", pool_id=pool_of(stage, WORKER).pk)

    answer = client.post(path, {"size": "400"})

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "are needed" in page and 'value="400"' in page and "pool-size-error" in page


def test_size_that_the_master_pool_cannot_have_is_refused_at_the_field(
    stage: Stage, cluster: Cluster, client: Client
) -> None:
    answer = client.post(url(cluster, "pool-resize", pool_id=pool_of(stage).pk), {"size": "4"})

    assert answer.status_code == 422
    assert "1, 3 or 5 nodes" in answer.content.decode()


def test_menu_says_why_a_pool_that_scales_itself_is_not_resized(
    stage: Stage, cluster: Cluster, client: Client
) -> None:
    pool = pool_of(stage, WORKER)
    MachinePool.objects.filter(pk=pool.pk).update(autoscales=True, minimum_size=1, maximum_size=4)

    reason = "workers scales itself: edit its minimum and maximum size."
    assert reason in client.get(url(cluster, "nodes")).content.decode()
    assert reason in client.get(url(cluster, "pool-resize", pool_id=pool.pk)).content.decode()


def test_master_pool_offers_larger_sizes_only(stage: Stage, cluster: Cluster, client: Client) -> None:
    page = client.get(url(cluster, "pool-resize", pool_id=pool_of(stage).pk)).content.decode()

    assert 'value="3"' in page and 'value="5"' in page and 'value="1"' not in page


def test_pool_is_deleted_when_its_name_is_typed(stage: Stage, cluster: Cluster, client: Client) -> None:
    path = url(cluster, "pool-delete", pool_id=pool_of(stage, WORKER).pk)
    assert client.post(path, {"name": "worker"}).status_code == 422
    assert "1 node will be drained and removed with its disk:" in client.get(path).content.decode()

    client.post(path, {"name": "workers"})

    go_on(stage)
    assert not cluster.machine_pools.filter(name="workers").exists()


def test_node_is_replaced(stage: Stage, cluster: Cluster, client: Client) -> None:
    worker = machines_of(stage, WORKER)[0]

    client.post(url(cluster, "node-replace", machine_id=worker.pk))

    assert "Replace node: " in client.get(url(cluster, "detail")).content.decode()
    assert go_on(stage).kind == OperationKind.REPLACE
    assert names(machines_of(stage, WORKER)) == ["shop-workers-2"]


def test_only_master_says_why_it_stays(stage: Stage, cluster: Cluster, client: Client) -> None:
    answer = client.get(url(cluster, "node-replace", machine_id=machines_of(stage)[0].pk))

    assert answer.status_code == 409
    assert "No other control plane node" in answer.content.decode()


def test_pool_is_added(stage: Stage, cluster: Cluster, client: Client) -> None:
    assert cluster.cloud_account is not None
    form = new_pool_form(cluster, get_offer(cluster.cloud_account))
    moid = machines_of(stage, WORKER)[0].placement.compute_cluster_moid
    ticked = QueryDict(mutable=True)
    ticked.update({f"{PREFIX}-zones": moid, "then": "update"})
    # Ticking a zone brings its fields.
    page = client.post(url(cluster, "pool-add"), {**posted(form), **ticked.dict()}).content.decode()
    assert f"{PREFIX}-{moid}-network" in page
    place = machines_of(stage, WORKER)[0].placement
    for suggested in (place.resource_pool_moid, place.datastore_moid, place.network_moid):
        assert f'value="{suggested}" selected' in page

    answer = client.post(
        url(cluster, "pool-add"), new_pool(stage, form, name="gpu", size="1", labels="kind=gpu")
    )

    assert answer.status_code == 302, answer.content.decode()
    go_on(stage)
    pool = cluster.machine_pools.get(name="gpu")
    assert (pool.size, pool.labels) == (1, {"kind": "gpu"})
    assert "shop-gpu-1" in stage.guests.nodes


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"name": "workers", "size": "1"}, "name", "has a node pool workers already"),
        ({"name": "gpu", "size": "400"}, "ip_pool", "are needed"),
    ],
)
def test_new_pool_is_refused_at_its_field(
    stage: Stage, cluster: Cluster, client: Client, changes: dict[str, str], field: str, reason: str
) -> None:
    assert cluster.cloud_account is not None
    form = new_pool_form(cluster, get_offer(cluster.cloud_account))

    answer = client.post(url(cluster, "pool-add"), new_pool(stage, form, **changes))

    page = answer.content.decode()
    assert answer.status_code == 422 and not cluster.machine_pools.filter(name="gpu").exists()
    error = page.partition(f'id="id_{PREFIX}-{field}_error"')[2]
    assert reason in error[:500]


def test_pool_without_a_zone_is_refused(stage: Stage, cluster: Cluster, client: Client) -> None:
    assert cluster.cloud_account is not None
    form = new_pool_form(cluster, get_offer(cluster.cloud_account))

    answer = client.post(url(cluster, "pool-add"), {**posted(form), "then": "add"})

    assert answer.status_code == 422
    assert "Select at least one availability zone." in answer.content.decode()


def test_edit_shows_what_will_happen_before_it_does(stage: Stage, cluster: Cluster, client: Client) -> None:
    pool = pool_of(stage, WORKER)
    path, data = url(cluster, "pool-edit", pool_id=pool.pk), edit_data(pool, disk_gib="80")

    page = client.post(path, {**data, "then": "review"}).content.decode()
    assert "1 node will be replaced" in page and "shop-workers-1" in page
    assert not Operation.objects.of(cluster.subject).active().exists()

    client.post(path, {**data, "then": "confirm"})

    assert go_on(stage).kind == OperationKind.UPDATE
    assert names(machines_of(stage, WORKER)) == ["shop-workers-2"]
    assert pool_of(stage, WORKER).disk_gib == 80


def test_edit_without_a_change_is_said(stage: Stage, cluster: Cluster, client: Client) -> None:
    pool = pool_of(stage, WORKER)

    answer = client.post(url(cluster, "pool-edit", pool_id=pool.pk), {**edit_data(pool), "then": "review"})

    assert answer.status_code == 409
    assert "Nothing of workers is different" in answer.content.decode()


def test_edit_of_limits_touches_no_node(stage: Stage, cluster: Cluster, client: Client) -> None:
    pool = pool_of(stage, WORKER)
    data = edit_data(pool, autoscales="on", minimum_size="1", maximum_size="4")

    answer = client.post(url(cluster, "pool-edit", pool_id=pool.pk), {**data, "then": "confirm"})

    assert answer.status_code == 302, answer.content.decode()
    pool.refresh_from_db()
    assert (pool.autoscales, pool.minimum_size, pool.maximum_size) == (True, 1, 4)
    assert not Operation.objects.of(cluster.subject).active().exists()


def test_edit_of_the_master_pool_keeps_its_zones(stage: Stage, cluster: Cluster, client: Client) -> None:
    pool = pool_of(stage)
    data = edit_data(pool, labels="tier=control", zones="domain-c999")

    client.post(url(cluster, "pool-edit", pool_id=pool.pk), {**data, "then": "confirm"})

    go_on(stage)
    assert [dict(lines)["label"] for lines in stage.guests.changed] == ["tier=control"]
    assert pool_of(stage).placements.count() == 1


def test_field_is_checked_while_the_form_is_filled_in(stage: Stage, cluster: Cluster, client: Client) -> None:
    pool = pool_of(stage, WORKER)
    path = url(cluster, "pool-edit", pool_id=pool.pk)

    answer = client.post(f"{path}?check={PREFIX}-disk_gib", edit_data(pool, disk_gib="1"))

    assert "err" in answer.content.decode()
    assert client.post(f"{path}?check=nothing", edit_data(pool)).status_code == 404


def test_vcenter_that_does_not_answer_is_said(stage: Stage, cluster: Cluster, client: Client) -> None:
    with stage.outage():
        answer = client.get(url(cluster, "pool-add") + "?wait=1")

    page = answer.content.decode()
    assert "The inventory cannot be read" in page and "Try again" in page


def test_change_is_stopped(stage: Stage, cluster: Cluster, client: Client) -> None:
    client.post(url(cluster, "pool-resize", pool_id=pool_of(stage, WORKER).pk), {"size": "3"})
    assert "Stop the change" in client.get(url(cluster, "detail")).content.decode()

    client.post(url(cluster, "change-stop"))

    go_on(stage)
    assert names(machines_of(stage, WORKER)) == ["shop-workers-1"]


def test_while_it_is_changed_every_button_says_why_not(
    stage: Stage, cluster: Cluster, client: Client
) -> None:
    client.post(url(cluster, "pool-resize", pool_id=pool_of(stage, WORKER).pk), {"size": "2"})
    said = f"Another operation on {cluster} is running. Wait until it has ended."

    for path in pages(stage):
        if path != url(cluster, "change-stop"):
            answer = client.get(path)
            assert (answer.status_code, said in answer.content.decode()) == (409, True), path
    shown = client.get(url(cluster, "nodes")).content.decode()
    assert said in shown and url(cluster, "pool-add") not in shown and "Stop the change" in shown
    go_on(stage)
    assert said not in client.get(url(cluster, "nodes")).content.decode()


def test_zones_of_the_master_pool_say_why_they_stay(stage: Stage, cluster: Cluster, client: Client) -> None:
    page = client.get(url(cluster, "pool-edit", pool_id=pool_of(stage).pk) + "?wait=1").content.decode()

    assert "The master pool cannot move: its nodes hold the cluster&#x27;s data" in page


def test_repairs_are_switched_on_and_off(stage: Stage, cluster: Cluster, client: Client) -> None:
    client.post(url(cluster, "repair"), {"repair": "on"})
    cluster.refresh_from_db()
    assert cluster.repairs_itself
    assert "checked" in client.get(url(cluster, "settings")).content.decode()

    client.post(url(cluster, "repair"), {})

    cluster.refresh_from_db()
    assert not cluster.repairs_itself


def test_nodes_page_offers_changes_to_those_who_may(stage: Stage, cluster: Cluster, client: Client) -> None:
    page = client.get(url(cluster, "nodes")).content.decode()
    assert "Add a worker pool" in page and url(cluster, "pool-add") in page

    client.force_login(make_user("vera", Role.PROJECT_VIEWER, project=make_project()))
    page = client.get(url(cluster, "nodes")).content.decode()

    assert url(cluster, "pool-add") not in page
    assert "You need the role" in page


def test_nodes_page_asks_the_database_the_same_for_more_nodes(
    stage: Stage, cluster: Cluster, client: Client, django_assert_max_num_queries: Any
) -> None:
    client.force_login(amelia())
    machine = machines_of(stage, WORKER)[0]
    client.get(url(cluster, "nodes"))
    with django_assert_max_num_queries(22) as few:
        client.get(url(cluster, "nodes"))
    for index in range(10, 30):
        Machine.objects.create(
            cluster=cluster, pool=machine.pool, placement=machine.placement, index=index, name=f"w-{index}"
        )

    with django_assert_max_num_queries(len(few)):
        client.get(url(cluster, "nodes"))
