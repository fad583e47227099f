import re

import pytest
from django.core import mail
from django.core.cache.backends.db import DatabaseCache
from django.test import Client

from palette_portal.tenants import invitations
from palette_portal.tenants.models import AuditRow, User
from tests.factories import PASSWORD, amelia, make_tenant

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "quite another long sentence"


def sign_in(client: Client, email: str, password: str = PASSWORD):  # type: ignore[no-untyped-def]
    return client.post("/account/login/", {"login": email, "password": password})


def ask_for_reset(client: Client, email: str):  # type: ignore[no-untyped-def]
    return client.post("/account/password/reset/", {"email": email}, follow=True)


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


@pytest.mark.parametrize("email", ["amelia@acme-industrial.test", "Amelia@ACME-industrial.test"])
def test_person_signs_in_by_email(client: Client, email: str) -> None:
    amelia()

    response = sign_in(client, email)

    assert response["Location"] == "/"
    assert is_signed_in(client)


@pytest.mark.parametrize(
    ("email", "password"),
    [("amelia@acme-industrial.test", "wrong"), ("nobody@acme.test", PASSWORD)],
    ids=["wrong password", "unknown person"],
)
def test_refusal_does_not_tell_who_exists(client: Client, email: str, password: str) -> None:
    amelia()

    response = sign_in(client, email, password)

    assert not is_signed_in(client)
    assert response.context["form"].non_field_errors() == [
        "The email address and/or password you specified are not correct."
    ]


def test_deactivated_person_stays_out(client: Client) -> None:
    user = amelia()
    User.objects.filter(pk=user.pk).update(is_active=False)

    sign_in(client, user.email)

    assert not is_signed_in(client)


def test_guessing_is_slowed_down(client: Client) -> None:
    user = amelia()
    for _ in range(5):
        sign_in(client, user.email, "wrong")

    response = sign_in(client, user.email)

    assert not is_signed_in(client)
    assert b"Too many failed login attempts" in response.content


def test_rate_limits_count_across_processes() -> None:
    """In production the cache is a table, and a migration made it."""
    DatabaseCache("portal_cache", {}).set("count", 1)

    assert DatabaseCache("portal_cache", {}).get("count") == 1


def test_sign_out_needs_a_post(client: Client) -> None:
    client.force_login(amelia())

    client.get("/account/logout/")
    still_in = is_signed_in(client)
    client.post("/account/logout/")

    assert (still_in, is_signed_in(client)) == (True, False)


@pytest.mark.parametrize("address", ["/account/email/", "/account/login/code/"])
def test_other_ways_in_do_not_exist(client: Client, address: str) -> None:
    assert client.get(address).status_code == 404


def test_nobody_registers_without_invitation(client: Client) -> None:
    given = {"email": "eve@evil.test", "password1": NEW_PASSWORD}

    response = client.post("/account/signup/", given)

    assert response["Location"] == "/account/login/"
    assert not User.objects.exists()


def test_password_is_changed_and_audited(client: Client) -> None:
    user = amelia()
    client.force_login(user)
    given = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

    response = client.post("/account/password/change/", given)

    user.refresh_from_db()
    assert response.status_code == 302
    assert user.check_password(NEW_PASSWORD)
    assert is_signed_in(client)
    assert AuditRow.objects.get().action == "change-password"


def test_weak_password_is_refused_with_the_reason(client: Client) -> None:
    client.force_login(amelia())

    response = client.post(
        "/account/password/change/", {"oldpassword": PASSWORD, "password1": "short", "password2": "short"}
    )

    assert b"at least 12 characters" in response.content
    assert not AuditRow.objects.exists()


def test_reset_by_mail_sets_a_new_password_once(client: Client) -> None:
    user = amelia()

    ask_for_reset(client, user.email)
    link = re.search(r"https?://\S+(/account/password/reset/key/\S+)", mail.outbox[0].body)
    assert link is not None
    form_address = client.get(link[1])["Location"]
    client.post(form_address, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})

    user.refresh_from_db()
    assert user.check_password(NEW_PASSWORD)
    assert b"does not work any more" in Client().get(link[1], follow=True).content


def test_reset_does_not_tell_who_exists(client: Client) -> None:
    user = amelia()

    known = ask_for_reset(client, user.email)
    unknown = ask_for_reset(client, "nobody@acme.test")

    assert known.redirect_chain == unknown.redirect_chain
    assert [message.to for message in mail.outbox] == [[user.email], ["nobody@acme.test"]]
    assert "nobody signs in there" in mail.outbox[1].body


def test_invited_person_sets_the_first_password(client: Client) -> None:
    user = User.objects.create_user("dora@acme.test", tenant=make_tenant())
    link = invitations.link(user)

    form_address = client.get(link.removeprefix("http://127.0.0.1:8000"))["Location"]
    client.post(form_address, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})

    user.refresh_from_db()
    assert user.standing == "Active"
    assert sign_in(client, "dora@acme.test", NEW_PASSWORD).status_code == 302


def test_sign_in_leads_back_to_the_page_one_wanted(client: Client) -> None:
    amelia()

    response = client.post(
        "/account/login/?next=/settings/users/",
        {"login": "amelia@acme-industrial.test", "password": PASSWORD, "next": "/settings/users/"},
    )

    assert response["Location"] == "/settings/users/"


def test_sign_in_never_leads_elsewhere(client: Client) -> None:
    amelia()

    response = client.post(
        "/account/login/",
        {"login": "amelia@acme-industrial.test", "password": PASSWORD, "next": "https://evil.test/"},
    )

    assert response["Location"] == "/"
