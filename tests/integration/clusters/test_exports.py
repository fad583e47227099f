import csv
import io
import json

import pytest
from django.test import Client
from django.utils import timezone

from clusters.models import Cluster
from palette_portal.orchestration.events import record_event
from palette_portal.orchestration.models import Event, Severity
from palette_portal.tenants.models import User
from palette_portal.tenants.roles import Role
from tests.factories import (
    amelia,
    bao,
    carla,
    make_cluster,
    make_machine,
    make_machine_pool,
    make_project,
    make_user,
)
from tests.integration.clusters.listed import copies_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> User:
    user = amelia()
    client.force_login(user)
    return user


@pytest.fixture
def shop(admin: User) -> Cluster:
    cluster = make_cluster(project=make_project(), name="shop", state="Running", tags=["=1+1", "prod"])
    make_machine(make_machine_pool(cluster), state="Running")
    return cluster


def text_of(client: Client, url: str) -> str:
    return b"".join(client.get(url).streaming_content).decode()  # type: ignore[attr-defined]


def test_clusters_as_csv_are_those_of_the_filter_on_all_pages(client: Client, shop: Cluster) -> None:
    copies_of(shop, 1200, state="Pending")

    everything, running = (
        list(csv.DictReader(io.StringIO(text_of(client, f"/clusters/export.csv?{query}"))))
        for query in ("sort=name", "state=Running")
    )

    assert len({row["id"] for row in everything}) == 1201
    assert everything[0]["name"] == "cluster-0002"
    assert [(row["name"], row["nodes_running"], row["nodes"]) for row in running] == [("shop", "1", "1")]


def test_cell_of_a_csv_is_never_a_formula(client: Client, shop: Cluster) -> None:
    assert "'=1+1 prod" in text_of(client, "/clusters/export.csv")


def test_clusters_as_json(client: Client, shop: Cluster) -> None:
    (row,) = json.loads(text_of(client, "/clusters/export.json?q=shop"))

    assert row["name"] == "shop"
    assert row["tags"] == ["=1+1", "prod"]
    assert row["project"] == "payments"
    assert row["profile"] is None


def test_export_of_nothing_is_valid(client: Client, admin: User) -> None:
    assert json.loads(text_of(client, "/clusters/export.json")) == []
    assert text_of(client, "/clusters/export.csv").startswith("name,state")


def test_export_is_a_file_that_nobody_keeps(client: Client, shop: Cluster) -> None:
    response = client.get("/clusters/export.csv")

    assert response["Content-Disposition"] == 'attachment; filename="clusters.csv"'
    assert response["Cache-Control"] == "private, no-store"


def test_export_for_another_tenant_is_empty(client: Client, shop: Cluster) -> None:
    client.force_login(carla())

    assert json.loads(text_of(client, "/clusters/export.json")) == []


def test_export_as_something_else_is_not_found(client: Client, shop: Cluster) -> None:
    assert client.get("/clusters/export.xml").status_code == 404


def test_export_by_post_is_refused(client: Client, shop: Cluster) -> None:
    assert client.post("/clusters/export.csv").status_code == 405


@pytest.fixture
def events(shop: Cluster) -> list[Event]:
    """Twelve, of which the first two are archived."""
    made = [
        record_event(
            subject=shop.subject,
            severity=(Severity.INFO, Severity.ERROR)[number % 2],
            reason="MachineCloned",
            message=f"=Line {number}.",
        )
        for number in range(12)
    ]
    Event.objects.filter(number__in=[event.number for event in made[:2]]).update(archived_at=timezone.now())
    return made


def test_events_as_csv_are_those_of_the_filter(client: Client, shop: Cluster, events: list[Event]) -> None:
    text = text_of(client, f"/clusters/{shop.pk}/events.csv?severity=Error")

    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["message"] for row in rows] == [f"'=Line {number}." for number in (11, 9, 7, 5, 3)]
    assert rows[0]["number"] == str(events[11].number)


def test_events_as_json_have_archived_ones_when_asked_for(
    client: Client, shop: Cluster, events: list[Event]
) -> None:
    current, archived = (
        json.loads(text_of(client, f"/clusters/{shop.pk}/events.json{query}"))
        for query in ("", "?archived=1")
    )

    assert (len(current), len(archived)) == (10, 12)


def test_events_are_read_in_portions(
    client: Client, shop: Cluster, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusters.event_log.EVENTS_PER_READING", 3)

    assert len(json.loads(text_of(client, f"/clusters/{shop.pk}/events.json"))) == 10


def test_archived_events_are_for_those_who_see_the_audit_log(
    client: Client, shop: Cluster, events: list[Event]
) -> None:
    address = f"/clusters/{shop.pk}/events/"
    client.force_login(make_user("sam", Role.SUPPORT))
    assert "Archived too" in client.get(address).content.decode()
    assert "=Line 0." in client.get(f"{address}?archived=1").content.decode()

    client.force_login(bao())
    assert "Archived too" not in client.get(address).content.decode()
    assert client.get(f"{address}?archived=1").status_code == 403
    assert client.get(f"/clusters/{shop.pk}/events.csv?archived=1").status_code == 403


def test_events_of_a_cluster_of_strangers_are_not_found(client: Client, shop: Cluster) -> None:
    client.force_login(carla())

    assert client.get(f"/clusters/{shop.pk}/events.csv").status_code == 404
