import json

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from palette_portal.http import Conflict
from palette_portal.middleware import DomainErrorMiddleware
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Denied
from palette_portal.tenants.roles import Role
from tests.factories import bao, make_project, make_user

pytestmark = pytest.mark.django_db
PART = {"HX-Request": "true"}
SUPPORTS = ["Clusters", "Profiles", "Private Cloud Gateways", "Cloud Accounts", "IP Pools", "Audit log"]


def labels(client: Client, address: str = "/nowhere/") -> list[str]:
    shell = client.get(address).context["shell"]
    return [link.label for _, links in shell.groups for link in links]


def test_navigation_of_a_tenant_admin(client: Client, admin: User) -> None:
    assert labels(client) == [
        "Clusters",
        "Profiles",
        "Private Cloud Gateways",
        "Cloud Accounts",
        "IP Pools",
        "Projects",
        "Users",
        "Audit log",
    ]


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.SUPPORT, SUPPORTS),
        (Role.PROJECT_ADMIN, ["Clusters", "Profiles", "Cloud Accounts", "IP Pools", "Audit log"]),
        (Role.PROJECT_EDITOR, ["Clusters", "Profiles", "Cloud Accounts", "IP Pools"]),
    ],
)
def test_navigation_shows_what_the_role_may_open(client: Client, role: Role, expected: list[str]) -> None:
    project = None if role == Role.SUPPORT else make_project()
    client.force_login(make_user("dora", role, project=project))

    assert labels(client) == expected


def test_navigation_marks_the_page_one_is_on(client: Client, admin: User) -> None:
    content = client.get("/settings/users/new/").content.decode()

    assert content.count('aria-current="page"') == 2  # the entry and the last breadcrumb
    assert '<a href="/settings/users/" aria-current="page">' in content


@pytest.mark.parametrize(
    ("cookie", "drawn"), [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"')]
)
def test_theme_of_the_cookie_is_in_the_page(client: Client, cookie: str, drawn: str) -> None:
    client.cookies["theme"] = cookie

    assert drawn in client.get("/account/login/").content.decode()


def test_theme_that_does_not_exist_is_ignored(client: Client) -> None:
    client.cookies["theme"] = '"><script>'

    assert "data-theme" not in client.get("/account/login/").content.decode()


def test_content_security_policy_is_strict(client: Client) -> None:
    policy = client.get("/account/login/")["Content-Security-Policy"]

    assert set(policy.split("; ")) == {
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    }


def test_missing_page_keeps_the_shell_for_those_signed_in(client: Client, admin: User) -> None:
    response = client.get("/nowhere/")

    assert response.status_code == 404
    assert b"This page does not exist" in response.content
    assert b'aria-label="Main"' in response.content


def test_missing_page_without_shell_for_strangers(client: Client) -> None:
    response = client.get("/nowhere/")

    assert response.status_code == 404
    assert b'aria-label="Main"' not in response.content


def test_broken_page_says_so(client: Client, admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr("palette_portal.tenants.views.check", fail)
    client.raise_request_exception = False

    response = client.get("/settings/users/")

    assert response.status_code == 500
    assert b"Something broke in the portal" in response.content
    assert b"secret" not in response.content


@pytest.mark.parametrize(("error", "status"), [(Denied("Not you."), 403), (Conflict("Not now."), 409)])
def test_domain_error_of_a_part_is_a_message(admin: User, error: Exception, status: int) -> None:
    request = RequestFactory().get("/", headers=PART)

    response = DomainErrorMiddleware(lambda _: HttpResponse()).process_exception(request, error)

    assert response is not None
    assert response.status_code == status
    assert response["HX-Reswap"] == "none"
    assert json.loads(response["HX-Trigger"]) == {"action-refused": {"reason": str(error)}}
    assert b"<html" not in response.content


def test_other_errors_are_not_swallowed() -> None:
    middleware = DomainErrorMiddleware(lambda _: HttpResponse())

    assert middleware.process_exception(HttpRequest(), ValueError("a bug")) is None


def test_part_after_the_session_ended_leads_the_whole_page_to_sign_in(client: Client) -> None:
    headers = {**PART, "HX-Current-URL": "http://testserver/settings/audit/?q=a"}

    response = client.get("/settings/audit/", headers=headers)

    assert response.status_code == 200
    assert response["HX-Redirect"] == "/account/login/?next=%2Fsettings%2Faudit%2F%3Fq%3Da"


def test_project_role_is_named_in_the_switcher(client: Client) -> None:
    client.force_login(bao())
    client.post("/settings/scope/", {"project": make_project().pk})

    assert client.get("/nowhere/").context["shell"].role == "Project Editor"
