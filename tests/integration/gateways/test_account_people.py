"""Who sees, uses and changes which cloud account, and how many questions its pages cost."""

import pytest
from django.db import IntegrityError, transaction

from gateways.models import Availability, CloudAccount
from palette_portal.tenants.roles import Role
from tests.factories import (
    bao,
    carla,
    make_cloud_account,
    make_cluster,
    make_gateway,
    make_project,
    make_user,
)
from tests.integration.gateways.account_pages import path, typed

pytestmark = pytest.mark.django_db


# Which projects may use it


def test_usable_in_a_project_are_its_own_and_those_it_was_given(gateway):
    payments, ledger = make_project(), make_project(name="ledger")
    foreign = make_gateway(carla().tenant)
    for_all = make_cloud_account(gateway)
    chosen = make_cloud_account(gateway, availability=Availability.CHOSEN)
    chosen.projects.add(payments)
    make_cloud_account(gateway, availability=Availability.NONE)
    own = make_cloud_account(gateway, project=payments)
    make_cloud_account(foreign)

    def usable(project):
        return set(CloudAccount.objects.usable_in(project))

    assert usable(payments) == {for_all, chosen, own}
    assert usable(ledger) == {for_all}


def test_availability_belongs_to_accounts_of_the_tenant(gateway):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_cloud_account(gateway, project=make_project(), availability=Availability.NONE)


def test_refused_account_has_a_reason(gateway):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_cloud_account(gateway, refused_logins=1)


# People


def test_stranger_finds_nothing(client, account):
    client.force_login(carla())

    assert account.name not in client.get(path("list")).content.decode()
    for name in ("detail", "edit"):
        assert client.get(path(name, account)).status_code == 404
    for name in ("edit", "test", "delete"):
        assert client.post(path(name, account), {"confirm": account.name}).status_code == 404


def test_people_of_another_project_find_nothing(client, account, gateway):
    theirs = make_cloud_account(gateway, name="ledger-only", project=make_project(name="ledger"))
    CloudAccount.objects.filter(pk=account.pk).update(availability=Availability.NONE)
    client.force_login(bao())

    page = client.get(path("list")).content.decode()

    assert "ledger-only" not in page and "east" not in page
    assert client.get(path("detail", theirs)).status_code == 404
    assert client.get(path("detail", account)).status_code == 404


@pytest.mark.parametrize("person", [bao, lambda: make_user("sam", Role.SUPPORT)])
def test_readers_look_and_change_nothing(client, account, person):
    client.force_login(person())

    assert client.get(path("detail", account)).status_code == 200
    assert client.get(path("create")).status_code == 403
    assert client.get(path("edit", account)).status_code == 403
    assert client.post(path("test", account)).status_code == 403
    assert client.post(path("delete", account), {"confirm": account.name}).status_code == 403


def test_viewer_of_a_project_does_not_see_accounts(client, account):
    client.force_login(make_user("vera", Role.PROJECT_VIEWER, project=make_project()))

    assert client.get(path("list")).status_code == 403


def test_project_admin_manages_the_accounts_of_the_project_only(client, account, gateway, lab):
    project = make_project()
    client.force_login(make_user("petra", Role.PROJECT_ADMIN, project=project))

    for_tenant = client.post(path("create"), typed(gateway, lab))
    created = client.post(path("create"), typed(gateway, lab, scope=str(project.pk), availability="none"))

    assert (for_tenant.status_code, created.status_code) == (422, 302)
    own = CloudAccount.objects.get(project=project)
    assert own.availability == Availability.ALL
    assert client.post(path("test", own)).status_code == 302
    assert client.post(path("delete", own), {"confirm": own.name}).status_code == 302
    assert client.get(path("edit", account)).status_code == 403


def test_clusters_of_unseen_projects_are_counted_and_not_named(client, account, gateway):
    make_cluster(gateway, cloud_account=account, name="hidden-one")
    client.force_login(bao())

    page = client.get(path("list")).content.decode()

    assert "1 that you do not see" in page and "hidden-one" not in page


@pytest.mark.parametrize("name", ["test", "delete"])
def test_changes_need_a_post(client, account, name):
    assert client.get(path(name, account)).status_code == 405


def test_link_to_the_list_stands_in_the_navigation(client, account):
    assert f'href="{path("list")}"' in client.get(path("detail", account)).content.decode()


# Queries


def test_queries_of_the_list_do_not_grow(client, admin, gateway, django_assert_num_queries):
    def fill(count):
        for _ in range(count):
            account = make_cloud_account(gateway)
            make_cluster(gateway, cloud_account=account, name=account.name, project=make_project())

    fill(1)
    client.get(path("list"))
    with django_assert_num_queries(6):
        client.get(path("list"))
    fill(4)
    with django_assert_num_queries(6):
        client.get(path("list"))


def test_queries_of_the_pages(client, account, django_assert_num_queries):
    make_cluster(account.gateway, cloud_account=account)
    client.get(path("detail", account))

    with django_assert_num_queries(9):
        client.get(path("detail", account))
    with django_assert_num_queries(9):
        client.get(path("edit", account))
