"""Who sees and changes profiles: of the tenant, of a project, of others."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clusters.profiles import actions
from clusters.profiles.models import ClusterProfile
from clusters.profiles.variables import Variable
from palette_portal.tenants.roles import Role
from tests.factories import amelia, carla, make_cluster, make_project, make_user
from tests.integration.profiles.stage import make_profile, make_published, path

pytestmark = pytest.mark.django_db

GETS = {
    "detail": (),
    "edit": (),
    "version": (),
    "version-new": (),
    "version-clone": (),
    "version-export": (),
    "version-compare": (),
    "layer-add": ("add-on",),
    "layer-change": ("calico",),
    "variable-add": (),
    "variable-change": ("X",),
}
POSTS = {
    "delete": (),
    "version-publish": (),
    "version-delete": (),
    "layer-remove": ("calico",),
    "variable-remove": ("X",),
}
READS = {"detail", "version", "version-export", "version-compare"}


@pytest.fixture
def draft(db):
    return make_profile(make_user("olga", Role.TENANT_ADMIN), variables=[Variable("X")])


def ask(client, name, more, version):
    method = client.post if name in POSTS else client.get
    return method(path(name, version, *more))


@pytest.mark.parametrize(("name", "more"), {**GETS, **POSTS}.items())
def test_stranger_finds_nothing(client, draft, name, more):
    client.force_login(carla())

    assert ask(client, name, more, draft).status_code == 404


@pytest.mark.parametrize(("name", "more"), {**GETS, **POSTS}.items())
def test_viewer_reads_and_changes_nothing(client, draft, name, more):
    client.force_login(make_user("vera", Role.PROJECT_VIEWER, project=make_project()))

    assert ask(client, name, more, draft).status_code == (200 if name in READS else 403)


@pytest.mark.parametrize(("name", "more"), {**GETS, **POSTS}.items())
def test_nobody_is_sent_to_the_sign_in(client, draft, name, more):
    assert "/account/login/" in ask(client, name, more, draft).url


@pytest.mark.parametrize("name", ["create", "import"])
def test_pages_that_make_profiles_are_for_admins(client, name):
    client.force_login(make_user("bao", Role.PROJECT_EDITOR, project=make_project()))

    assert client.get(path(name)).status_code == 403


@pytest.mark.parametrize(("name", "more"), GETS.items())
def test_get_pages_take_no_other_method(client, draft, name, more):
    client.force_login(amelia())

    assert client.delete(path(name, draft, *more)).status_code == 405


@pytest.mark.parametrize(("name", "more"), POSTS.items())
def test_deeds_are_posts(client, draft, name, more):
    client.force_login(amelia())

    assert client.get(path(name, draft, *more)).status_code == 405


def test_project_admin_changes_the_projects_profiles_and_reads_the_tenants(client, draft):
    project = make_project()
    client.force_login(make_user("dora", Role.PROJECT_ADMIN, project=project))
    own = make_profile(amelia(), project=project, name="own")

    assert client.post(path("layer-remove", own, "calico")).status_code == 302
    assert client.post(path("layer-remove", draft, "calico")).status_code == 403
    assert client.get(path("version", draft)).status_code == 200


def test_project_admin_makes_profiles_in_that_project_only(client):
    project, other = make_project(), make_project(name="search")
    client.force_login(make_user("dora", Role.PROJECT_ADMIN, project=project))
    sent = {"name": "East", "version": "1.0.0", "type": "full"}

    for scope in ("tenant", str(other.pk)):
        assert client.post(path("create"), {**sent, "scope": scope}).status_code == 422
    assert client.post(path("create"), {**sent, "scope": str(project.pk)}).status_code == 302


def test_profile_of_another_project_is_not_found(client):
    foreign = make_profile(amelia(), project=make_project(name="search"), name="theirs")
    client.force_login(make_user("dora", Role.PROJECT_ADMIN, project=make_project()))

    assert client.get(path("version", foreign)).status_code == 404
    assert "theirs" not in client.get(path("list")).content.decode()


def test_project_admin_clones_the_tenants_profile_into_the_project(client, draft):
    project = make_project()
    client.force_login(make_user("dora", Role.PROJECT_ADMIN, project=project))

    client.post(path("version-clone", draft), {"name": "mine", "scope": str(project.pk), "version": "1.0.0"})

    assert ClusterProfile.objects.get(name="mine").project == project


def test_clusters_of_other_projects_are_counted_but_not_named(client):
    version = make_published(amelia())
    make_cluster(project=make_project(name="search"), profile_version=version, name="hidden-one")
    client.force_login(make_user("dora", Role.PROJECT_ADMIN, project=make_project()))

    page = client.get(path("version", version)).content.decode()

    assert "hidden-one" not in page
    assert "1 more that you do not see" in page


def test_navigation_leads_to_profiles_for_those_who_see_them(client):
    client.force_login(make_user("sam", Role.SUPPORT))

    assert f'href="{path("list")}"' in client.get(path("list")).content.decode()


# Queries


def queries(client, url):
    client.get(url)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        client.get(url)
    return len(captured)


def test_list_asks_the_same_number_of_queries_for_any_number_of_profiles(client):
    admin = amelia()
    client.force_login(admin)
    version = make_published(admin)
    few = queries(client, path("list"))

    for number in range(5):
        made = make_published(admin, name=f"more {number}")
        actions.new_version(of=made, version="1.1.0", by=admin)
        make_cluster(project=make_project(), profile_version=made)

    assert queries(client, path("list")) == few <= 12
    assert version.is_published


def test_page_of_a_version_asks_the_same_number_of_queries_for_any_size(client):
    admin = amelia()
    client.force_login(admin)
    small = make_profile(admin, name="small", layers=[])
    large = make_published(admin, name="large", variables=[Variable(f"V{n}") for n in range(9)])
    for number in range(1, 6):
        actions.new_version(of=large, version=f"1.{number}.0", by=admin)
        make_cluster(project=make_project(), profile_version=large)

    assert queries(client, path("version", large)) == queries(client, path("version", small)) <= 14
