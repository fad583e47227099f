"""Delete, Abort and Force Delete on the cluster's page: who sees and may what, and what each dialog says."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clusters.live import ClusterChannel
from clusters.models import Cluster, Leftover, LeftoverKind
from clusters.states import ClusterState
from gateways import login_test
from gateways.models import CloudAccount
from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.tenants.models import AuditRow, User
from palette_portal.tenants.roles import Role
from palette_portal.vsphere.errors import LoginRefused, Unreachable
from tests.factories import (
    amelia,
    bao,
    carla,
    make_cluster,
    make_gateway,
    make_machine,
    make_machine_pool,
    make_project,
    make_user,
)

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
STATES = {
    "delete": ClusterState.RUNNING,
    "abort": ClusterState.PROVISIONING,
    "force-delete": ClusterState.DELETING,
}


@pytest.fixture(autouse=True)
def _logins_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_test, "_log_in", lambda account: True)


@pytest.fixture
def project_admin() -> User:
    return make_user("pia", Role.PROJECT_ADMIN, project=make_project())


def make(state: ClusterState, *, minutes: float = 20, nodes: int = 1, **fields) -> Cluster:
    cluster = make_cluster(project=make_project(), **{"name": "shop", "state": state, **fields})
    pool = make_machine_pool(cluster)
    for index in range(1, nodes + 1):
        make_machine(pool, index=index)
    if state == ClusterState.DELETING:
        Cluster.objects.filter(pk=cluster.pk).update(deleting_at=Now() - timedelta(minutes=minutes))
        cluster.refresh_from_db()
    return cluster


def url(cluster: Cluster, name: str = "detail") -> str:
    return reverse(f"clusters:{name}", args=[cluster.pk])


def text_of(response) -> str:
    return response.content.decode()


def test_delete_dialog_says_what_goes(client: Client, project_admin: User) -> None:
    client.force_login(project_admin)
    cluster = make(ClusterState.RUNNING, has_own_folder=True, tags=["team"])

    page = text_of(client.get(url(cluster, "delete"), headers=HTMX))

    assert "shop-cp-1" in page and 'data-must-equal="shop"' in page
    assert "Its folder goes too" in page and "Tags that nothing else uses" in page
    assert "Volumes of workloads are detached and stay" in page
    assert ">Confirm</button>" in page


@pytest.mark.parametrize("name", STATES)
def test_with_the_name_typed_it_begins(client: Client, project_admin: User, name: str) -> None:
    client.force_login(project_admin)
    cluster = make(STATES[name])

    response = client.post(url(cluster, name), {"name": "shop"}, headers=HTMX)

    assert response["HX-Redirect"] == url(cluster)
    operation = Operation.objects.get()
    assert (operation.kind, operation.requested_by) == (OperationKind(name), project_admin)
    assert client.post(url(cluster, name), {"name": "shop"}).status_code == 409


@pytest.mark.parametrize("name", ["delete", "force-delete"])
def test_with_another_name_nothing_begins(client: Client, project_admin: User, name: str) -> None:
    client.force_login(project_admin)
    cluster = make(STATES[name])

    response = client.post(url(cluster, name), {"name": "shops"}, headers=HTMX)

    assert response.status_code == 422
    assert "This is not the name" in text_of(response)
    assert not Operation.objects.exists()


@pytest.mark.parametrize("name", STATES)
def test_dialog_is_a_page_without_javascript(client: Client, project_admin: User, name: str) -> None:
    client.force_login(project_admin)
    cluster = make(STATES[name])

    page = text_of(client.get(url(cluster, name)))
    response = client.post(url(cluster, name), {"name": "shop"})

    assert "<html" in page and "shop-cp-1" in page
    assert response["Location"] == url(cluster)


@pytest.mark.parametrize("name", STATES)
def test_wrong_state_is_said_in_the_dialog(client: Client, project_admin: User, name: str) -> None:
    client.force_login(project_admin)
    states = set(STATES.values()) - {STATES[name]}
    for number, state in enumerate(sorted(states)):
        cluster = make(state, name=f"shop-{number}")

        response = client.get(url(cluster, name), headers=HTMX)

        assert response.status_code == 409
        assert ">Confirm</button>" not in text_of(response)


def test_refused_login_is_said_in_the_dialog_with_a_way_out(
    client: Client, project_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(account: CloudAccount) -> bool:
        raise LoginRefused("vCenter refused the user name or password.")

    monkeypatch.setattr(login_test, "_log_in", refuse)
    client.force_login(project_admin)
    cluster = make(ClusterState.RUNNING)

    response = client.post(url(cluster, "delete"), {"name": "shop"}, headers=HTMX)

    assert response.status_code == 409
    assert "refused the user name or password" in text_of(response)
    assert reverse("accounts:detail", args=[cluster.cloud_account_id]) in text_of(response)
    cluster.refresh_from_db()
    assert cluster.state == ClusterState.RUNNING


def test_vcenter_that_does_not_answer_does_not_stop_a_deletion(
    client: Client, project_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(account: CloudAccount) -> bool:
        raise Unreachable("vCenter does not answer.")

    monkeypatch.setattr(login_test, "_log_in", fail)
    client.force_login(project_admin)
    cluster = make(ClusterState.RUNNING)

    assert client.post(url(cluster, "delete"), {"name": "shop"}).status_code == 302
    cluster.refresh_from_db()
    assert cluster.state == ClusterState.DELETING


def test_menu_of_a_running_cluster(client: Client, project_admin: User) -> None:
    client.force_login(project_admin)
    cluster = make(ClusterState.RUNNING)

    page = text_of(client.get(url(cluster)))

    assert f'hx-get="{url(cluster, "delete")}"' in page
    assert "Only a cluster that is Deleting can be forced" in page
    assert f'hx-get="{url(cluster, "abort")}"' not in page


def test_menu_of_a_cluster_being_provisioned(client: Client, project_admin: User) -> None:
    client.force_login(project_admin)
    cluster = make(ClusterState.PROVISIONING)

    page = text_of(client.get(url(cluster)))

    assert f'hx-get="{url(cluster, "abort")}"' in page
    assert f'hx-get="{url(cluster, "delete")}"' not in page
    assert "still being provisioned: abort it" in page


def test_menu_counts_down_to_force_delete(client: Client, project_admin: User) -> None:
    client.force_login(project_admin)
    cluster = make(ClusterState.DELETING, minutes=3)
    assert cluster.deleting_at
    at = cluster.deleting_at + timedelta(minutes=15)

    page = text_of(client.get(url(cluster)))

    assert f'Enabled in <count-down until="{at.isoformat()}"' in page
    assert f"at {at:%H:%M} UTC" in page
    assert f'hx-get="{url(cluster, "actions")}" hx-trigger="load delay:7' in page
    assert f'hx-get="{url(cluster, "force-delete")}"' not in page
    assert client.post(url(cluster, "force-delete"), {"name": "shop"}).status_code == 409


def test_menu_offers_force_delete_after_its_time(client: Client, project_admin: User) -> None:
    client.force_login(project_admin)
    cluster = make(ClusterState.DELETING, minutes=15.1)

    part = text_of(client.get(url(cluster, "actions"), headers=HTMX))

    assert f'hx-get="{url(cluster, "force-delete")}"' in part
    assert "count-down" not in part and "hx-trigger" not in part


def test_force_delete_is_not_shown_to_an_editor(client: Client) -> None:
    client.force_login(bao())
    cluster = make(ClusterState.DELETING)

    assert "Force Delete Cluster" not in text_of(client.get(url(cluster)))


def test_force_dialog_warns_first(client: Client) -> None:
    client.force_login(amelia())
    cluster = make(ClusterState.DELETING)

    page = text_of(client.get(url(cluster, "force-delete"), headers=HTMX))

    assert "Clean up first" in page and "kept back until those are gone" in page


@pytest.mark.parametrize(
    ("role", "name", "status"),
    [
        (Role.PROJECT_EDITOR, "delete", 200),
        (Role.PROJECT_EDITOR, "abort", 200),
        (Role.PROJECT_EDITOR, "force-delete", 403),
        (Role.PROJECT_VIEWER, "delete", 403),
        (Role.PROJECT_VIEWER, "abort", 403),
        (Role.SUPPORT, "delete", 403),
        (Role.SUPPORT, "abort", 403),
        (Role.SUPPORT, "force-delete", 403),
        (Role.TENANT_ADMIN, "force-delete", 200),
    ],
)
def test_dialog_by_role(client: Client, role: Role, name: str, status: int) -> None:
    cluster = make(STATES[name])
    in_tenant = role in (Role.SUPPORT, Role.TENANT_ADMIN)
    client.force_login(make_user("kim", role, project=None if in_tenant else cluster.project))

    assert client.get(url(cluster, name), headers=HTMX).status_code == status
    if status == 403:
        assert client.post(url(cluster, name), {"name": "shop"}).status_code == 403
        assert not Operation.objects.exists()


@pytest.mark.parametrize("name", [*STATES, "leftovers-check", "actions"])
def test_stranger_finds_nothing_and_methods_are_bound(client: Client, name: str) -> None:
    cluster = make(STATES.get(name, ClusterState.DELETED), **_deleted(name))
    client.force_login(carla())

    assert client.put(url(cluster, name)).status_code == 405
    answer = client.get(url(cluster, name)) if name == "actions" else client.post(url(cluster, name))
    assert answer.status_code == 404


def _deleted(name: str) -> dict[str, object]:
    return {} if name in STATES else {"deleted_at": timezone.now()}


def test_gateway_clusters_refer_to_their_gateway(client: Client) -> None:
    client.force_login(amelia())
    body = make_cluster(make_gateway(), state=ClusterState.RUNNING)

    assert client.post(url(body, "delete"), {"name": body.name}).status_code == 409
    assert not Operation.objects.exists()


@pytest.mark.parametrize("name", STATES)
def test_dialog_asks_as_often_for_many_nodes(
    client: Client, project_admin: User, django_assert_max_num_queries, name: str
) -> None:
    client.force_login(project_admin)
    small, large = make(STATES[name], name="small"), make(STATES[name], name="large", nodes=9)

    with django_assert_max_num_queries(12) as few:
        client.get(url(small, name), headers=HTMX)
    with django_assert_max_num_queries(len(few)):
        client.get(url(large, name), headers=HTMX)


def left_behind(**fields) -> Cluster:
    cluster = make(ClusterState.DELETED, deleted_at=timezone.now(), **fields)
    rows = [
        (LeftoverKind.MACHINE, "shop-cp-1", "dc-1/vm/team-a/shop-cp-1", "vm-42"),
        (LeftoverKind.ADDRESS, "10.10.183.21", "kept back in the IP pool nodes because of shop-cp-1", ""),
        (LeftoverKind.VOLUME, "[ssd] fcd/data.vmdk", "20 GB, was Hard disk 2 of shop-cp-1", ""),
    ]
    for kind, name, path, moid in rows:
        Leftover.objects.create(cluster=cluster, kind=kind, name=name, path=path, moid=moid)
    return cluster


def test_page_lists_what_remains(client: Client, project_admin: User) -> None:
    client.force_login(project_admin)
    cluster = left_behind()

    page = text_of(client.get(url(cluster)))

    assert "What remains on vCenter" in page and "Check now" in page
    assert "dc-1/vm/team-a/shop-cp-1" in page and "vm-42" in page and "10.10.183.21" in page
    assert "Volumes of workloads" in page and "[ssd] fcd/data.vmdk" in page


def test_page_says_when_nothing_remains(client: Client, project_admin: User) -> None:
    client.force_login(project_admin)
    cluster = left_behind()
    cluster.leftovers.exclude(kind=LeftoverKind.VOLUME).update(gone_at=timezone.now())

    page = text_of(client.get(url(cluster)))

    assert "Nothing remains" in page and "Check now" not in page


def test_page_of_a_cluster_that_left_nothing_has_no_list(client: Client, project_admin: User) -> None:
    client.force_login(project_admin)

    page = text_of(client.get(url(make(ClusterState.RUNNING))))

    assert '<div class="stack" id="leftovers" hidden>' in page


def test_check_now_says_in_the_list_that_vcenter_does_not_answer(
    client: Client, project_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(project_admin)
    cluster = left_behind()
    monkeypatch.setattr("clusters.actions.leftovers.within", lambda seconds, ask: None)

    part = client.post(url(cluster, "leftovers-check"), headers=HTMX)

    assert "did not answer within" in text_of(part)
    assert client.post(url(cluster, "leftovers-check")).status_code == 409


def test_check_now_shows_what_is_gone(
    client: Client, project_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(project_admin)
    cluster = left_behind()
    machine = cluster.leftovers.get(kind=LeftoverKind.MACHINE)
    monkeypatch.setattr("clusters.actions.leftovers.within", lambda seconds, ask: {machine.pk})

    first = text_of(client.post(url(cluster, "leftovers-check"), headers=HTMX))
    cluster.leftovers.filter(pk=machine.pk).update(missed_at=timezone.now() - timedelta(seconds=10))
    second = text_of(client.post(url(cluster, "leftovers-check"), headers=HTMX))

    assert "Not found; looked for once more" in first
    assert "Nothing remains" in second


@pytest.mark.django_db(transaction=True)
def test_check_now_brings_its_own_transaction(
    client: Client, project_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(project_admin)
    cluster = left_behind()
    monkeypatch.setattr("clusters.actions.leftovers.within", lambda seconds, ask: set())

    assert client.post(url(cluster, "leftovers-check"), headers=HTMX).status_code == 200
    assert AuditRow.objects.filter(action="check-leftovers", object_id=str(cluster.pk)).exists()


def test_check_now_is_not_for_support(client: Client) -> None:
    client.force_login(make_user("sam", Role.SUPPORT))
    cluster = left_behind()

    assert client.post(url(cluster, "leftovers-check")).status_code == 403
    assert 'aria-disabled="true"' in text_of(client.get(url(cluster)))


def test_open_pages_show_leftovers_without_a_reload(project_admin: User) -> None:
    cluster = left_behind()
    subscription = ClusterChannel().open(project_admin, {"cluster_id": str(cluster.pk)}, {"tab": "overview"})
    assert subscription

    messages = subscription.changed(Change(cluster.tenant_id, "cluster", cluster.pk))

    (part,) = [message.html for message in messages if 'id="leftovers"' in message.html]
    assert 'hx-swap-oob="true"' in part and "shop-cp-1" in part
