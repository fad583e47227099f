import pytest
from django.test import Client
from django.urls import reverse

from clusters.actions.saved_views import VIEWS_PER_PERSON
from clusters.models import SavedView
from palette_portal.tenants.models import AuditRow, User
from tests.factories import amelia, bao, carla, make_cluster, make_project

pytestmark = pytest.mark.django_db

SAVE = "/clusters/views/"
PART = {"HX-Request": "true"}


@pytest.fixture
def admin(client: Client) -> User:
    user = amelia()
    client.force_login(user)
    return user


def view_of(user: User, name: str = "Mine", query: str = "state=Running") -> SavedView:
    return SavedView.objects.create(user=user, tenant=user.tenant, name=name, query=query)


def test_view_is_saved_without_what_means_nothing(client: Client, admin: User) -> None:
    query = "q=shop&state=Running&health=&nonsense=1&sort=name&at=xyz"

    response = client.post(SAVE, {"name": " My shops ", "query": query})

    view = SavedView.objects.get()
    assert (view.name, view.query) == ("My shops", "q=shop&state=Running&sort=name")
    assert response["Location"] == "/clusters/?q=shop&state=Running&sort=name"
    assert AuditRow.objects.get().object_name == "My shops"


def test_saved_view_is_offered_and_marked_when_it_is_shown(client: Client, admin: User) -> None:
    make_cluster(project=make_project())
    view_of(admin)

    page = client.get(f"{reverse('clusters:list')}?state=Running").content.decode()

    assert 'href="/clusters/?state=Running">Mine<svg' in page


def test_dialog_asks_for_a_name_and_keeps_the_filter(client: Client, admin: User) -> None:
    part = client.get(f"{SAVE}?q=shop&at=x", headers=PART).content.decode()
    page = client.get(f"{SAVE}?q=shop").content.decode()

    assert "<html" not in part and "<html" in page
    assert 'name="query" value="q=shop"' in part and 'name="query" value="q=shop"' in page


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("", "Give the view a name."), ("Mine", "a view called Mine already"), ("x" * 64, "at most 63")],
)
def test_name_that_cannot_be_is_refused_at_the_field(
    client: Client, admin: User, name: str, sentence: str
) -> None:
    view_of(admin)

    response = client.post(SAVE, {"name": name, "query": "q=shop"}, headers=PART)

    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert 'name="query" value="q=shop"' in response.content.decode()
    assert SavedView.objects.count() == 1


def test_names_are_free_of_other_peoples(client: Client, admin: User) -> None:
    view_of(bao())

    assert client.post(SAVE, {"name": "Mine", "query": ""}).status_code == 302


def test_number_of_views_is_limited(client: Client, admin: User) -> None:
    for number in range(VIEWS_PER_PERSON):
        view_of(admin, f"View {number}")

    response = client.post(SAVE, {"name": "One more", "query": ""})

    assert response.status_code == 409
    assert "Delete one first" in response.content.decode()


def test_view_is_deleted(client: Client, admin: User) -> None:
    view = view_of(admin)

    assert client.post(f"{SAVE}{view.pk}/delete/").status_code == 302
    assert not SavedView.objects.exists()
    assert AuditRow.objects.get().action == "delete"


@pytest.mark.parametrize("stranger", [bao, carla])
def test_view_of_somebody_else_is_not_found(client: Client, admin: User, stranger) -> None:
    view = view_of(admin)
    client.force_login(stranger())

    assert client.post(f"{SAVE}{view.pk}/delete/").status_code == 404
    assert SavedView.objects.exists()
    assert "Mine" not in client.get("/clusters/").content.decode()


def test_view_is_not_deleted_by_get(client: Client, admin: User) -> None:
    assert client.get(f"{SAVE}{view_of(admin).pk}/delete/").status_code == 405
