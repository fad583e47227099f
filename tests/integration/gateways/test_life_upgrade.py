"""The pages of an upgrade: what is offered and where, the review, what is confirmed, and the way back."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from clusters.models import Cluster, Machine
from clusters.states import ClusterHealth, ClusterState, MachineState
from gateways.actions.delete import delete_gateway
from gateways.actions.upgrade import upgrade_gateway
from gateways.live import GatewayChannel
from gateways.models import GatewayRelease, PrivateCloudGateway
from gateways.states import GatewayState
from gateways.upgrades import Estimate, estimate_upgrade
from palette_portal.orchestration.models import Operation, OperationKind, OperationState, Step
from palette_portal.tenants.models import User
from palette_portal.tenants.roles import Role
from tests.factories import (
    amelia,
    bao,
    carla,
    make_cluster,
    make_gateway,
    make_machine,
    make_machine_pool,
    make_pool,
    make_project,
    make_release,
    make_user,
)
from tests.integration.upgrades.scene import publish

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(client: Client) -> User:
    user = amelia()
    client.force_login(user)
    return user


@pytest.fixture
def gateway() -> PrivateCloudGateway:
    return make_gateway(
        name="dc-east", size=3, state=GatewayState.RUNNING, release=make_release(), running_at=timezone.now()
    )


@pytest.fixture
def body(gateway: PrivateCloudGateway) -> Cluster:
    cluster = make_cluster(
        gateway, state=ClusterState.RUNNING, health=ClusterHealth.HEALTHY, endpoint_host="10.10.183.30"
    )
    pool = make_machine_pool(cluster, size=3, ip_pool=make_pool(gateway))
    for index in (1, 2, 3):
        make_machine(
            pool,
            index=index,
            state=MachineState.RUNNING,
            running_at=timezone.now(),
            last_report_at=timezone.now(),
            phase="ready",
        )
    return cluster


@pytest.fixture
def newer() -> GatewayRelease:
    return publish()


def path(gateway: PrivateCloudGateway, verb: str = "upgrade") -> str:
    return f"/gateways/{gateway.pk}/{verb}/"


def test_widget_and_details_show_the_newer_release(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease
) -> None:
    for url in ("/gateways/", f"/clusters/{body.pk}/"):
        page = client.get(url).content.decode()

        assert "Release 1.1.0 is available." in page
        assert "Review upgrade" in page
        assert path(gateway) in page


def test_nothing_is_shown_to_a_gateway_with_the_newest(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster
) -> None:
    assert "is available" not in client.get("/gateways/").content.decode()
    assert "is available" not in client.get(f"/clusters/{body.pk}/").content.decode()


def test_support_sees_the_notice_and_why_not(
    client: Client, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease
) -> None:
    client.force_login(make_user("sam", Role.SUPPORT))

    page = client.get("/gateways/").content.decode()

    assert "Release 1.1.0 is available." in page
    assert "You need the role Tenant Admin to manage private cloud gateways." in page


def test_review_says_from_what_to_what_how_and_how_long(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease
) -> None:
    make_cluster(gateway, name="shop", project=make_project(), state=ClusterState.RUNNING)

    page = client.get(path(gateway)).content.decode()

    assert "1.31.2" in page and "1.32.3" in page
    assert "A newer kernel." in page
    assert "The 3 nodes are replaced one by one" in page
    assert "The 1 running cluster of this gateway is not touched." in page
    assert "About 30 minutes" in page and "as a rule of thumb" in page


def test_review_is_a_dialog_in_the_page_and_a_page_without_javascript(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease
) -> None:
    part = client.get(path(gateway), headers=HTMX)

    assert "<dialog" in part.content.decode() and "<html" not in part.content.decode()
    assert part.headers["Vary"].startswith("HX-Request") or "HX-Request" in part.headers["Vary"]
    assert "<html" in client.get(path(gateway)).content.decode()


def test_single_node_gateway_is_told_that_its_api_may_be_away(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease
) -> None:
    Machine.objects.filter(index__gt=1).delete()

    page = client.get(path(gateway)).content.decode()

    assert "it may be away for a moment" in page
    assert "About 10 minutes" in page


def test_confirmed_upgrade_starts_and_leads_to_its_steps(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease
) -> None:
    answer = client.post(path(gateway), {"to": "1.1.0"})

    assert answer.headers["Location"] == f"/clusters/{body.pk}/"
    gateway.refresh_from_db()
    assert gateway.upgrading_to == newer
    operation = Operation.objects.of(body.subject).get()
    assert (operation.kind, operation.state) == (OperationKind.UPGRADE, OperationState.RUNNING)
    page = client.get("/gateways/").content.decode()
    assert "Upgrading" in page and "Being upgraded to release 1.1.0" in page and "Roll back" in page
    details = client.get(f"/clusters/{body.pk}/").content.decode()
    assert "Upgrading" in details and path(gateway, "roll-back") in details


def test_confirming_with_htmx_redirects_the_page(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease
) -> None:
    answer = client.post(path(gateway), {"to": "1.1.0"}, headers=HTMX)

    assert answer.headers["HX-Redirect"] == f"/clusters/{body.pk}/"


@pytest.mark.parametrize("method", ["get", "post"])
def test_reason_is_shown_when_it_cannot_be_upgraded(
    client: Client,
    admin: User,
    gateway: PrivateCloudGateway,
    body: Cluster,
    newer: GatewayRelease,
    method: str,
) -> None:
    Cluster.objects.filter(pk=body.pk).update(health=ClusterHealth.UNHEALTHY)

    answer = getattr(client, method)(path(gateway), {"to": "1.1.0"})

    assert answer.status_code == 409
    assert "Repair it first" in answer.content.decode()
    assert not Operation.objects.exists()


def test_release_that_was_not_reviewed_is_not_applied(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease
) -> None:
    answer = client.post(path(gateway), {"to": "1.0.9"})

    assert answer.status_code == 409
    assert "Review it, then upgrade" in answer.content.decode()


def test_roll_back_says_which_nodes_go_and_which_stay(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease
) -> None:
    upgrade_gateway(gateway=gateway, to="1.1.0", by=admin)

    page = client.get(path(gateway, "roll-back")).content.decode()

    assert "goes back to release <b>1.0.0</b>" in page
    assert "These stay as they are" in page


def test_roll_back_does_not_call_half_made_what_was_only_planned(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease
) -> None:
    upgrade_gateway(gateway=gateway, to="1.1.0", by=admin)
    planned = body.machines.latest("index")

    page = client.get(path(gateway, "roll-back")).content.decode()

    assert f'{planned.name}</span> <span class="dim">Pending</span>' in page
    assert "half made" not in page


def test_confirmed_roll_back_leads_to_its_steps(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease
) -> None:
    upgrade_gateway(gateway=gateway, to="1.1.0", by=admin)

    answer = client.post(path(gateway, "roll-back"))

    assert answer.headers["Location"] == f"/clusters/{body.pk}/"
    active = Operation.objects.of(body.subject).active().get()
    assert active.kind == OperationKind.ROLL_BACK
    page = client.get("/gateways/").content.decode()
    assert "Going back to release 1.0.0" in page


def test_gateway_that_is_deleted_meanwhile_is_not_upgrading_any_more(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease
) -> None:
    upgrade_gateway(gateway=gateway, to="1.1.0", by=admin)

    delete_gateway(gateway=gateway, by=admin)

    gateway.refresh_from_db()
    assert (gateway.state, gateway.upgrading_to) == (GatewayState.DELETING, None)
    assert Operation.objects.of(body.subject).active().get().kind == OperationKind.DELETE
    assert "Upgrading" not in client.get("/gateways/").content.decode()


def test_roll_back_without_an_upgrade_is_refused(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease
) -> None:
    for method in (client.get, client.post):
        answer = method(path(gateway, "roll-back"))

        assert answer.status_code == 409
        assert "No upgrade of the gateway is under way." in answer.content.decode()


@pytest.mark.parametrize("verb", ["upgrade", "roll-back"])
def test_stranger_finds_nothing(
    client: Client, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease, verb: str
) -> None:
    client.force_login(carla())

    assert client.get(path(gateway, verb)).status_code == 404
    assert client.post(path(gateway, verb), {"to": "1.1.0"}).status_code == 404
    assert not Operation.objects.exists()


@pytest.mark.parametrize("verb", ["upgrade", "roll-back"])
def test_other_roles_are_denied(
    client: Client, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease, verb: str
) -> None:
    for user in (make_user("sam", Role.SUPPORT), bao()):
        client.force_login(user)

        assert client.get(path(gateway, verb)).status_code == 403
        assert client.post(path(gateway, verb), {"to": "1.1.0"}).status_code == 403
    assert not Operation.objects.exists()


@pytest.mark.parametrize("verb", ["upgrade", "roll-back"])
def test_other_methods_are_refused(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, verb: str
) -> None:
    assert client.put(path(gateway, verb)).status_code == 405
    assert client.delete(path(gateway, verb)).status_code == 405


def test_review_needs_few_queries(
    client: Client,
    admin: User,
    gateway: PrivateCloudGateway,
    body: Cluster,
    newer: GatewayRelease,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(11):
        client.get(path(gateway), headers=HTMX)


def test_roll_back_dialog_needs_few_queries(
    client: Client,
    admin: User,
    gateway: PrivateCloudGateway,
    body: Cluster,
    newer: GatewayRelease,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    upgrade_gateway(gateway=gateway, to="1.1.0", by=admin)

    with django_assert_num_queries(10):
        client.get(path(gateway, "roll-back"), headers=HTMX)


def test_time_is_measured_from_earlier_upgrades_of_the_tenant(
    gateway: PrivateCloudGateway, body: Cluster
) -> None:
    now = timezone.now()
    for minutes, nodes in ((6, 1), (12, 3)):
        operation = Operation.objects.create(
            kind=OperationKind.UPGRADE,
            subject_kind="cluster",
            subject_id=body.pk,
            subject_name=body.name,
            tenant=gateway.tenant,
            state=OperationState.SUCCEEDED,
            started_at=now - timedelta(minutes=minutes),
            finished_at=now,
        )
        for number in range(nodes):
            Step.objects.create(
                operation=operation,
                key=f"{number}/cloned",
                title="Clone",
                position=number,
                function="clusters.steps.machines.ensure_machine_cloned",
            )

    assert estimate_upgrade(gateway, 3) == Estimate(minutes=14, measured=2)
    assert estimate_upgrade(make_gateway(carla().tenant), 3) == Estimate(minutes=30, measured=0)


def test_open_list_shows_the_release_when_it_is_published(
    admin: User, gateway: PrivateCloudGateway, body: Cluster, newer: GatewayRelease
) -> None:
    subscription = GatewayChannel().open(admin, {}, {})

    assert subscription is not None
    assert "Release 1.1.0 is available." in subscription.snapshot()[0].html
