import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from palette_portal.tenants import actions
from palette_portal.tenants.models import AuditRow, Project, User
from palette_portal.tenants.roles import Role
from tests.factories import PASSWORD, amelia, bao, carla, make_project, make_tenant, make_user

pytestmark = pytest.mark.django_db

# Session, user with tenant and roles, projects of the switcher.
SHELL_QUERIES = 3
PAGES = (
    "tenants:projects",
    "tenants:project-create",
    "tenants:users",
    "tenants:user-invite",
    "tenants:audit",
)


def sign_in(client: Client, user: User) -> User:
    client.force_login(user)
    return user


@pytest.mark.parametrize("name", PAGES)
def test_page_opens_for_a_tenant_admin(client: Client, admin: User, name: str) -> None:
    response = client.get(reverse(name))

    assert response.status_code == 200
    assert b"Palette Portal</title>" in response.content


@pytest.mark.parametrize("name", PAGES)
def test_page_sends_strangers_to_sign_in(client: Client, name: str) -> None:
    response = client.get(reverse(name))

    assert response.status_code == 302
    assert response["Location"] == f"/account/login/?next={reverse(name)}"


@pytest.mark.parametrize("name", PAGES)
def test_page_is_denied_with_the_reason_to_a_project_editor(client: Client, name: str) -> None:
    sign_in(client, bao())

    response = client.get(reverse(name))

    assert response.status_code == 403
    assert b"You need the role Tenant Admin" in response.content


@pytest.mark.parametrize("name", PAGES)
def test_page_refuses_other_methods(client: Client, admin: User, name: str) -> None:
    assert client.delete(reverse(name)).status_code == 405


@pytest.mark.parametrize("name", ["tenants:user-deactivate", "tenants:user-activate"])
def test_change_by_get_is_refused(client: Client, admin: User, name: str) -> None:
    assert client.get(reverse(name, args=[bao().pk])).status_code == 405


@pytest.mark.parametrize("name", ["tenants:user-roles", "tenants:user-deactivate", "tenants:user-activate"])
def test_person_of_another_tenant_does_not_exist(client: Client, admin: User, name: str) -> None:
    stranger = carla()

    response = client.post(reverse(name, args=[stranger.pk]), {"tenant_role": "support"})

    assert response.status_code == 404
    assert stranger.memberships.get().role == Role.TENANT_ADMIN


def test_project_of_another_tenant_does_not_exist(client: Client, admin: User) -> None:
    foreign = make_project(make_tenant("Borealis"), "foreign")

    response = client.post(reverse("tenants:project-rename", args=[foreign.pk]), {"name": "mine"})

    assert response.status_code == 404
    assert not Project.objects.filter(name="mine").exists()


def test_pages_cost_the_same_for_many_rows(
    client: Client, admin: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        project = make_project(name=f"project-{number}")
        make_user(f"user-{number}", Role.PROJECT_EDITOR, project=project)
        actions.rename_project(project=project, name=f"renamed-{number}", by=admin)

    with django_assert_num_queries(SHELL_QUERIES + 1):  # projects with counts
        client.get(reverse("tenants:projects"))
    with django_assert_num_queries(SHELL_QUERIES + 3):  # how many, people, their roles
        client.get(reverse("tenants:users"))
    with django_assert_num_queries(SHELL_QUERIES + 2):  # rows, kinds
        client.get(reverse("tenants:audit"))
    with django_assert_num_queries(3):  # session, user with roles, rows: a part pays for no shell
        client.get(reverse("tenants:audit"), headers={"HX-Request": "true"})


def test_project_is_created(client: Client, admin: User) -> None:
    response = client.post(reverse("tenants:project-create"), {"name": "payments"}, follow=True)

    assert response.status_code == 200
    assert b"Project payments was created." in response.content
    assert Project.objects.get().tenant == admin.tenant


@pytest.mark.parametrize("name", ["", "Payments", "x" * 64])
def test_project_with_a_wrong_name_comes_back(client: Client, admin: User, name: str) -> None:
    make_project(name="payments")

    response = client.post(reverse("tenants:project-create"), {"name": name})

    assert response.status_code == 422
    assert Project.objects.count() == 1


def test_project_is_renamed_to_another_spelling(client: Client, admin: User) -> None:
    project = make_project(name="payments")

    client.post(reverse("tenants:project-rename", args=[project.pk]), {"name": "Payments"})

    project.refresh_from_db()
    assert project.name == "Payments"


def test_person_is_invited_with_roles_in_projects(client: Client, admin: User) -> None:
    payments, platform = make_project(), make_project(name="platform")
    answers = {
        "full_name": "Dora Example",
        "email": "dora@acme.test",
        "tenant_role": "in-projects",
        f"project_{payments.pk}": "project-admin",
        f"project_{platform.pk}": "none",
    }

    response = client.post(reverse("tenants:user-invite"), answers, follow=True)

    dora = User.objects.get(email="dora@acme.test")
    assert [(held.project, held.role) for held in dora.memberships.all()] == [(payments, Role.PROJECT_ADMIN)]
    assert b"/account/password/reset/key/" in response.content
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        ({"email": "amelia@acme-industrial.test"}, b"already signs in"),
        ({"tenant_role": "in-projects"}, b"Choose a role"),
        ({"tenant_role": "root"}, b"Select a valid choice"),
    ],
)
def test_invitation_that_cannot_be_comes_back(
    client: Client, admin: User, answers: dict[str, str], complaint: bytes
) -> None:
    given = {"full_name": "Dora", "email": "dora@acme.test", "tenant_role": "support", **answers}

    response = client.post(reverse("tenants:user-invite"), given)

    assert response.status_code == 422
    assert complaint in response.content
    assert User.objects.count() == 1


def test_role_in_the_tenant_replaces_roles_in_projects(client: Client, admin: User) -> None:
    person = bao()
    given = {"tenant_role": "support", f"project_{make_project().pk}": "project-editor"}

    client.post(reverse("tenants:user-roles", args=[person.pk]), given)

    assert [held.role for held in person.memberships.all()] == [Role.SUPPORT]


def test_last_admin_is_told_why_not(client: Client, admin: User) -> None:
    response = client.post(reverse("tenants:user-roles", args=[admin.pk]), {"tenant_role": "support"})

    assert response.status_code == 409
    assert b"A tenant needs an active Tenant Admin." in response.content


def test_deactivated_person_is_out_at_once(client: Client, admin: User) -> None:
    person, other = bao(), Client()
    other.force_login(person)

    client.post(reverse("tenants:user-deactivate", args=[person.pk]))

    assert other.get(reverse("tenants:users")).status_code == 302
    assert not other.login(email=person.email, password=PASSWORD)


def test_own_account_cannot_be_deactivated_on_the_page(client: Client, admin: User) -> None:
    response = client.get(reverse("tenants:user-roles", args=[admin.pk]))

    assert b"You cannot deactivate your own account." in response.content
    assert b'aria-disabled="true"' in response.content


def test_scope_is_kept_until_it_is_changed(client: Client, admin: User) -> None:
    project = make_project()

    client.post(reverse("tenants:scope-switch"), {"project": project.pk})
    chosen = client.get(reverse("tenants:users")).wsgi_request.project  # type: ignore[attr-defined]
    client.post(reverse("tenants:scope-switch"), {"project": ""})
    after = client.get(reverse("tenants:users")).wsgi_request.project  # type: ignore[attr-defined]

    assert (chosen, after) == (project, None)


@pytest.mark.parametrize("wanted", ["00000000-0000-4000-8000-000000000000", "no-uuid"])
def test_scope_that_does_not_exist_is_not_found(client: Client, admin: User, wanted: str) -> None:
    assert client.post(reverse("tenants:scope-switch"), {"project": wanted}).status_code == 404


def test_scope_of_a_project_without_a_role_is_not_found(client: Client) -> None:
    sign_in(client, bao())
    other = make_project(name="platform")

    assert client.post(reverse("tenants:scope-switch"), {"project": other.pk}).status_code == 404


def test_scope_falls_back_when_the_role_was_taken_away(client: Client) -> None:
    person = sign_in(client, bao())
    client.post(reverse("tenants:scope-switch"), {"project": make_project().pk})
    make_project(name="platform")
    person.memberships.all().delete()

    assert client.get("/nowhere/").wsgi_request.project is None  # type: ignore[attr-defined]


def test_audit_part_is_rows_only(client: Client, admin: User) -> None:
    response = client.get(reverse("tenants:audit"), headers={"HX-Request": "true"})

    assert b"<html" not in response.content
    assert b'id="audit-rows"' in response.content
    assert "HX-Request" in response["Vary"]


def test_audit_rows_are_narrowed_by_words_and_kind(client: Client, admin: User) -> None:
    actions.create_project(tenant=make_tenant(), name="payments", by=admin)
    actions.activate_user(user=bao(), by=admin)

    by_words = client.get(reverse("tenants:audit"), {"q": "amelia activate"}).content
    by_kind = client.get(reverse("tenants:audit"), {"kind": "project"}).content
    by_nothing_there = client.get(reverse("tenants:audit"), {"q": "zebra"}).content

    assert (b"bao@acme" in by_words, b"<b>payments</b>" in by_words) == (True, False)
    assert (b"bao@acme" in by_kind, b"<b>payments</b>" in by_kind) == (False, True)
    assert b"No row matches." in by_nothing_there


def test_audit_rows_go_on_after_the_last_one_seen(client: Client, admin: User) -> None:
    project = make_project()
    for number in range(120):
        actions.rename_project(project=project, name=f"name-{number}", by=admin)

    seen: list[int] = []
    address = reverse("tenants:audit")
    while address:
        response = client.get(address, headers={"HX-Request": "true"})
        seen += [row.pk for row in response.context["rows"]]
        older = response.context["older"]
        address = f"{reverse('tenants:audit')}?{older}" if older else ""

    assert seen == list(AuditRow.objects.order_by("-id").values_list("pk", flat=True))


def test_audit_of_the_own_project_for_a_project_admin(client: Client) -> None:
    admin, project = amelia(), make_project()
    sign_in(client, make_user("egon", Role.PROJECT_ADMIN, project=project))
    actions.rename_project(project=project, name="ours", by=admin)
    actions.create_project(tenant=make_tenant(), name="theirs", by=admin)

    content = client.get(reverse("tenants:audit")).content

    assert (b"ours" in content, b"theirs" in content) == (True, False)
