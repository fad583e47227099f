"""The system gateway: there from the start, Running, without machines, and nothing can be done to it."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gateways.actions.delete import delete_gateway
from gateways.actions.health import show_heartbeats
from gateways.actions.rename import rename_gateway
from gateways.actions.reset import reset_gateway
from gateways.actions.system import ensure_system_gateway, watch_system_gateways
from gateways.forms.account import AccountForm
from gateways.live import GatewayChannel
from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from ippools.models import IPPool
from palette_portal.http import Conflict
from palette_portal.orchestration.changes import WORKERS_CHANNEL, Change
from palette_portal.orchestration.listening import connect_listener
from palette_portal.orchestration.models import Event
from palette_portal.orchestration.steps import Subject
from palette_portal.orchestration.worker_signs import workers_listening
from palette_portal.tenants.models import User
from palette_portal.tenants.roles import Role
from tests.factories import amelia, carla, make_cluster, make_gateway, make_tenant, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> User:
    user = amelia()
    client.force_login(user)
    return user


@pytest.fixture
def system() -> PrivateCloudGateway:
    return ensure_system_gateway(make_tenant())


def test_every_tenant_has_one_that_is_running(system: PrivateCloudGateway) -> None:
    other = make_tenant("Borealis")

    watch_system_gateways()
    watch_system_gateways()

    assert PrivateCloudGateway.objects.filter(is_system=True).count() == 2
    assert ensure_system_gateway(other).state == GatewayState.RUNNING
    assert ensure_system_gateway(system.tenant) == system


def test_migration_makes_one_for_tenants_that_have_none(system: PrivateCloudGateway) -> None:
    make_tenant("Borealis")
    migration = import_module("gateways.migrations.0006_system_gateways")

    with connection.schema_editor() as editor:
        migration.make_system_gateways(apps, editor)

    found = PrivateCloudGateway.objects.filter(is_system=True)
    assert set(found.values_list("tenant__name", "name", "state")) == {
        ("Acme Industrial", "System gateway", "Running"),
        ("Borealis", "System gateway", "Running"),
    }


def test_second_one_in_a_tenant_is_refused_by_the_database(system: PrivateCloudGateway) -> None:
    with pytest.raises(IntegrityError, match="gateway_one_system_per_tenant"):
        PrivateCloudGateway.objects.create(
            tenant=system.tenant, is_system=True, name="again", state=GatewayState.RUNNING
        )


def test_other_state_is_refused_by_the_database(system: PrivateCloudGateway) -> None:
    with pytest.raises(IntegrityError, match="gateway_system_always_running"):
        PrivateCloudGateway.objects.filter(pk=system.pk).update(state=GatewayState.DELETING)


def test_it_cannot_be_deleted_reset_or_renamed(system: PrivateCloudGateway, admin: User) -> None:
    reason = "The system gateway is the portal itself"

    with pytest.raises(Conflict, match=reason):
        delete_gateway(gateway=system, by=admin)
    with pytest.raises(Conflict, match=reason):
        reset_gateway(gateway=system, by=admin)
    with pytest.raises(Conflict, match=reason):
        rename_gateway(gateway=system, name="mine", by=admin)


@pytest.mark.parametrize("action", ["delete", "reset", "rename"])
def test_dialogs_say_why_not(client: Client, admin: User, system: PrivateCloudGateway, action: str) -> None:
    answer = client.post(f"/gateways/{system.pk}/{action}/", {"name": system.name})

    assert answer.status_code == 409
    assert "it has no virtual machines, and it stays as it is" in answer.content.decode()
    system.refresh_from_db()
    assert system.state == GatewayState.RUNNING


def test_it_can_not_be_installed_or_configured(
    client: Client, admin: User, system: PrivateCloudGateway
) -> None:
    assert client.get(f"/gateways/{system.pk}/install/").status_code == 409
    assert client.get(f"/gateways/{system.pk}/configure/").status_code == 409


def test_widget_says_what_it_is_behind_the_tenants_own(
    client: Client, admin: User, system: PrivateCloudGateway
) -> None:
    make_gateway(name="dc-west")

    page = client.get("/gateways/").content.decode()

    assert page.index("dc-west") < page.index("System gateway")
    assert "It serves every vCenter that the portal reaches directly" in page
    assert "Waiting for the installer VM" not in page
    assert "No gateway yet" not in page


def test_list_with_the_system_gateway_alone_still_says_how_to_begin(
    client: Client, admin: User, system: PrivateCloudGateway
) -> None:
    page = client.get("/gateways/").content.decode()

    assert "No gateway yet" in page
    assert "System gateway" in page


def test_its_page_shows_the_widget(client: Client, admin: User, system: PrivateCloudGateway) -> None:
    page = client.get(f"/gateways/{system.pk}/").content.decode()

    assert "The portal's own gateway" in page
    assert f'id="gateway-{system.pk}"' in page


def test_page_of_another_tenants_is_not_found(client: Client, system: PrivateCloudGateway) -> None:
    client.force_login(carla())

    assert client.get(f"/gateways/{system.pk}/").status_code == 404


def test_support_sees_it_and_changes_nothing(client: Client, system: PrivateCloudGateway) -> None:
    client.force_login(make_user("sam", Role.SUPPORT))

    assert "System gateway" in client.get("/gateways/").content.decode()
    assert client.post(f"/gateways/{system.pk}/rename/", {"name": "mine"}).status_code == 403


def test_it_costs_the_list_no_query(
    client: Client, admin: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_cluster(make_gateway(name="dc-west"))
    client.get("/gateways/")
    with django_assert_num_queries(10):
        client.get("/gateways/")
    ensure_system_gateway(make_tenant())

    with django_assert_num_queries(10):
        client.get("/gateways/")


def test_stream_sends_its_own_widget(admin: User, system: PrivateCloudGateway) -> None:
    subscription = GatewayChannel().open(admin, {}, {"only": str(system.pk)})

    assert subscription is not None
    assert "The portal itself." in subscription.snapshot()[0].html


def test_open_list_draws_only_its_widget_again(admin: User, system: PrivateCloudGateway) -> None:
    make_gateway(name="dc-west")
    subscription = GatewayChannel().open(admin, {}, {})
    assert subscription is not None

    messages = subscription.changed(Change(system.tenant_id, "gateway", system.pk))

    assert len(messages) == 1
    assert "The portal itself." in messages[0].html and "dc-west" not in messages[0].html


def test_open_pages_hear_of_its_heartbeats(
    system: PrivateCloudGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard(system, seconds=5)
    told: list[Subject] = []
    monkeypatch.setattr("gateways.actions.health.announce_subject", told.append)

    show_heartbeats()

    assert told == [system.subject]


def test_cloud_accounts_can_use_it(admin: User, system: PrivateCloudGateway) -> None:
    make_gateway(name="zulu", state=GatewayState.RUNNING)

    choices = AccountForm(user=admin).fields["gateway"].choices  # type: ignore[attr-defined]

    assert [str(label) for _, label in choices] == ["zulu", "Use System Gateway"]


def test_ip_pools_can_be_linked_to_it(client: Client, admin: User, system: PrivateCloudGateway) -> None:
    typed = {
        "gateway": str(system.pk),
        "name": "direct",
        "network_type": "range",
        "start": "10.20.0.10",
        "end": "10.20.0.60",
        "subnet_prefix": "24",
        "gateway_address": "10.20.0.1",
        "name_servers": "10.20.0.2",
    }

    answer = client.post("/ip-pools/create/", typed)

    assert answer.status_code == 302, answer.content.decode()
    assert IPPool.objects.get().gateway == system


def test_it_is_healthy_while_workers_listen(system: PrivateCloudGateway) -> None:
    with connect_listener(WORKERS_CHANNEL):
        assert workers_listening() == 1
        watch_system_gateways()

    system.refresh_from_db()
    assert system.last_heartbeat_at is not None
    assert timezone.now() - system.last_heartbeat_at < timedelta(seconds=10)
    assert system.error == ""


def test_it_is_unhealthy_once_no_worker_listens_for_a_minute(
    client: Client, admin: User, system: PrivateCloudGateway
) -> None:
    heard(system, seconds=50)
    watch_system_gateways()
    assert "Unhealthy" not in client.get("/gateways/").content.decode()
    heard(system, seconds=70)

    watch_system_gateways()
    watch_system_gateways()

    page = client.get("/gateways/").content.decode()
    assert "Unhealthy" in page
    assert "No worker of the portal answers" in page
    assert [event.reason for event in Event.objects.of(system.subject)] == ["GatewayUnhealthy"]


def test_it_is_healthy_again_with_an_event(system: PrivateCloudGateway) -> None:
    heard(system, seconds=70)
    watch_system_gateways()

    with connect_listener(WORKERS_CHANNEL):
        watch_system_gateways()

    system.refresh_from_db()
    assert system.error == ""
    reasons = Event.objects.of(system.subject).order_by("number").values_list("reason", flat=True)
    assert list(reasons) == ["GatewayUnhealthy", "GatewayHealthy"]


def test_page_shows_silence_when_nobody_is_left_to_note_it(
    client: Client, admin: User, system: PrivateCloudGateway
) -> None:
    heard(system, seconds=90)

    assert "Nothing has been heard of the portal" in client.get("/gateways/").content.decode()


def heard(gateway: PrivateCloudGateway, *, seconds: int) -> None:
    at = timezone.now() - timedelta(seconds=seconds)
    PrivateCloudGateway.objects.filter(pk=gateway.pk).update(last_heartbeat_at=at)
