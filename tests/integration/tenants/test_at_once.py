"""Two people, or two installers, choose the same name or address at the same moment."""

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from gateways.actions import pairing
from gateways.actions.pairing import Registration, create_gateway, register_installer
from gateways.models import PrivateCloudGateway
from palette_portal.tenants import actions
from palette_portal.tenants.actions import Taken
from palette_portal.tenants.forms import InvitationForm, ProjectForm
from palette_portal.tenants.models import Project, User
from palette_portal.tenants.roles import Role
from tests.factories import amelia, make_project, make_tenant, make_user
from tests.integration.orchestration.parallel import at_once

TOGETHER = pytest.mark.django_db(transaction=True)


def taken(function):
    def call():
        try:
            function()
        except Taken as error:
            return error.field
        return ""

    return call


@TOGETHER
def test_same_project_name_at_once_is_taken_by_one():
    admin = amelia()

    def create():
        actions.create_project(tenant=admin.tenant, name="payments", by=admin)

    assert sorted(at_once(*[taken(create)] * 3)) == ["", "name", "name"]
    assert Project.objects.count() == 1


@TOGETHER
def test_names_at_once_that_give_the_same_slug_are_both_kept():
    admin = amelia()

    def create(name):
        return lambda: actions.create_project(tenant=admin.tenant, name=name, by=admin).slug

    assert sorted(at_once(create("Team A"), create("Team a!"))) == ["team-a", "team-a-2"]


@TOGETHER
def test_same_person_invited_at_once_is_one_account():
    admin = amelia()

    def invite():
        roles = {None: Role.SUPPORT}
        actions.invite_user(
            tenant=admin.tenant, email="dora@acme.test", full_name="Dora", roles=roles, by=admin
        )

    assert sorted(at_once(*[taken(invite)] * 3)) == ["", "email", "email"]
    assert User.objects.filter(email="dora@acme.test").count() == 1


@TOGETHER
def test_installers_with_one_name_at_once_get_names_of_their_own():
    admin = amelia()
    codes = [create_gateway(tenant=admin.tenant, by=admin)[1] for _ in range(4)]

    def register(code):
        installer = Registration(code, "dc-east", "10.10.0.9", "1.0.0", uuid4())
        return lambda: register_installer(installer)[0].name

    names = at_once(*map(register, codes))

    assert sorted(names) == ["dc-east", "dc-east-2", "dc-east-3", "dc-east-4"]


@pytest.mark.django_db
def test_name_taken_after_it_was_chosen_is_chosen_again(monkeypatch):
    admin = amelia()
    code = create_gateway(tenant=admin.tenant, by=admin)[1]
    PrivateCloudGateway.objects.create(tenant=admin.tenant, name="dc-east")
    choices = iter(["dc-east", "dc-east-2", "dc-east-2"])
    monkeypatch.setattr(pairing, "_free_name", lambda *_: next(choices))

    gateway, _ = register_installer(Registration(code, "dc-east", "10.10.0.9", "1.0.0", uuid4()))

    assert gateway.name == "dc-east-2"


@pytest.mark.django_db
def test_project_name_taken_since_the_form_was_checked_is_told_at_the_field(
    client: Client, admin: User, monkeypatch
):
    make_project(name="payments")
    other = make_project(name="platform")
    monkeypatch.setattr(ProjectForm, "clean_name", lambda form: form.cleaned_data["name"])

    for url in (reverse("tenants:project-create"), reverse("tenants:project-rename", args=[other.pk])):
        response = client.post(url, {"name": "Payments"})

        assert response.status_code == 422
        assert b"Another project has this name." in response.content
    assert Project.objects.filter(name__iexact="payments").count() == 1


@pytest.mark.django_db
def test_email_taken_since_the_form_was_checked_is_told_at_the_field(
    client: Client, admin: User, monkeypatch
):
    make_user("dora", Role.SUPPORT, tenant=make_tenant("Borealis"))
    taken_email = User.objects.get(email__startswith="dora").email
    monkeypatch.setattr(InvitationForm, "clean_email", lambda form: form.cleaned_data["email"])

    response = client.post(
        reverse("tenants:user-invite"),
        {"full_name": "Dora", "email": taken_email, "tenant_role": Role.SUPPORT.value},
    )

    assert response.status_code == 422
    assert b"Somebody already signs in with this e-mail address." in response.content
