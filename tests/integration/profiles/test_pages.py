"""The pages of profiles: what they show, save and refuse."""

import pytest
from django.urls import reverse

from clusters.profiles import actions
from clusters.profiles.models import ClusterProfile, ProfileVersion
from clusters.profiles.variables import Variable
from clusters.states import ClusterState
from tests.factories import make_cluster, make_project
from tests.integration.profiles.stage import layer, make_profile, make_published, path

pytestmark = pytest.mark.django_db


def text(response):
    return response.content.decode()


def add_metallb(version, by, values=""):
    actions.add_layer(version=version, pack="metallb", pack_version="0.15.3", values=values, by=by)


# List


def test_list_shows_the_newest_version_its_parts_and_clusters(client, admin):
    version = make_published(admin, name="East")
    actions.new_version(of=version, version="1.10.0", by=admin)
    make_cluster(project=make_project(), profile_version=version)
    make_profile(admin, name="Mine", project=make_project())

    page = text(client.get(path("list")))

    assert all(
        words in page for words in ["East", "1.10.0", "Draft", "Kubernetes 1.36.4", "Project payments"]
    )
    assert '<td role="cell">1</td>' in page


def test_list_asks_as_little_for_many_profiles(client, admin, django_assert_num_queries):
    make_profile(admin, name="first", layers=[])
    client.get(path("list"))
    with django_assert_num_queries(13, exact=False) as few:
        client.get(path("list"))
    for number in range(20):
        make_profile(admin, name=f"profile-{number:02}", layers=[])

    with django_assert_num_queries(len(few)):
        client.get(path("list"))


def test_list_without_profiles_says_what_they_are_for(client, admin):
    assert "No profile yet" in text(client.get(path("list")))


def test_list_comes_in_pages(client, admin):
    for number in range(52):
        make_profile(admin, name=f"profile-{number:02}", layers=[])

    assert "profile-51" not in text(client.get(path("list")))
    assert "profile-51" in text(client.get(path("list", page=2)))


# Create


def typed(**changes):
    return {
        "name": "East",
        "scope": "tenant",
        "version": "1.0.0",
        "type": "full",
        "description": "Ours",
        **changes,
    }


def test_created_profile_is_a_draft_that_its_page_shows(client, admin):
    response = client.post(path("create"), typed())

    version = ProfileVersion.objects.get()
    assert response.url == path("version", version)
    assert (version.profile.name, version.profile.project, version.is_published) == ("East", None, False)


def test_project_of_the_switcher_is_proposed(client, admin):
    project = make_project()
    session = client.session
    session["project"] = str(project.pk)
    session.save()

    assert f'<option value="{project.pk}" selected' in text(client.get(path("create")))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "This field is required."),
        ("name", "x" * 64, "at most 63 characters"),
        ("name", "Taken", "has this name"),
        ("version", "1.0", "three numbers"),
        ("type", "half", "Select a valid choice"),
        ("scope", "nowhere", "Select a valid choice"),
    ],
)
def test_create_form_tells_what_is_wrong(client, admin, field, value, words):
    make_profile(admin, name="Taken")

    response = client.post(path("create"), typed(**{field: value}))

    assert (response.status_code, words in text(response)) == (422, True)
    assert ClusterProfile.objects.count() == 1


# Page of a version


def test_page_of_a_profile_shows_its_newest_version(client, admin):
    version = make_published(admin)
    actions.new_version(of=version, version="1.1.0", by=admin)

    page = text(client.get(path("detail", version)))

    assert '<span class="tag mono">1.1.0</span>' in page
    assert path("version", version) in page


def test_page_of_a_draft_offers_what_changes_it_and_that_of_a_published_version_does_not(client, admin):
    version = make_profile(admin)
    change = path("layer-change", version, "calico")

    assert change in text(client.get(path("version", version)))
    actions.publish_version(version=version, by=admin)
    page = text(client.get(path("version", version)))
    assert change not in page
    assert "New version" in page


def test_page_tells_what_stands_against_publishing(client, admin):
    version = make_profile(admin)
    actions.remove_layer(layer=layer(version, "csi"), by=admin)
    actions.set_variable(version=version, variable=Variable("IDLE"), by=admin)

    page = text(client.get(path("version", version)))

    assert "The layer Storage is missing." in page
    assert "No layer uses the variable IDLE." in page
    assert 'data-dialog="publish-dialog"' not in page


def test_page_shows_clusters_that_are_made_of_it_with_links(client, admin):
    version = make_published(admin)
    cluster = make_cluster(project=make_project(), profile_version=version, name="shop")
    make_cluster(
        project=make_project(),
        profile_version=version,
        name="gone",
        state=ClusterState.DELETED,
        deleted_at="2026-11-01T00:00Z",
    )

    page = text(client.get(path("detail", version)))

    assert reverse("clusters:detail", args=[cluster.pk]) in page
    assert ">gone<" not in page
    assert "The profile is in use" in page


def test_publish_makes_it_published(client, admin):
    version = make_profile(admin)

    response = client.post(path("version-publish", version))

    version.refresh_from_db()
    assert (response.url, version.is_published) == (path("version", version), True)


def test_incomplete_draft_is_refused_with_its_reason(client, admin):
    version = make_profile(admin, layers=[])

    response = client.post(path("version-publish", version))

    assert (response.status_code, "is missing" in text(response)) == (409, True)


# Versions


def test_new_version_is_proposed_and_made(client, admin):
    version = make_published(admin)

    assert 'value="1.1.0"' in text(client.get(path("version-new", version)))
    response = client.post(path("version-new", version), {"version": "2.0.0"})

    assert response.url.endswith("/versions/2.0.0/")


def test_new_version_that_is_not_greater_is_told_at_its_field(client, admin):
    response = client.post(path("version-new", make_published(admin)), {"version": "1.0.0"})

    assert (response.status_code, "must be greater than 1.0.0" in text(response)) == (422, True)


def test_differences_are_shown_with_what_came_and_went(client, admin):
    version = make_published(admin)
    draft = actions.new_version(of=version, version="1.1.0", by=admin)
    actions.change_layer(
        layer=layer(draft, "cni"), pack="calico", pack_version="3.33.0", values="mtu: 1400\n", by=admin
    )
    add_metallb(draft, admin)

    page = text(client.get(path("version-compare", draft)))

    assert 'data-mark="+"' in page
    assert "mtu: 1400" in page
    assert "MetalLB 0.15.3" in page
    assert "added" in page


def test_compare_of_the_only_version_says_so(client, admin):
    assert "Nothing to compare with" in text(client.get(path("version-compare", make_profile(admin))))


def test_compare_with_a_version_that_there_is_not_is_not_found(client, admin):
    version = make_profile(admin)

    assert client.get(path("version-compare", version) + "?with=9.9.9").status_code == 404


def test_clone_has_the_name_and_scope_that_were_chosen(client, admin):
    project = make_project()
    sent = {"name": "Copy", "scope": str(project.pk), "version": "0.1.0"}

    client.post(path("version-clone", make_published(admin)), sent)

    copy = ClusterProfile.objects.get(name="Copy")
    assert (copy.project, copy.versions.get().version) == (project, "0.1.0")


def test_clone_with_a_name_that_is_taken_comes_back(client, admin):
    version = make_published(admin)
    sent = {"name": version.profile.name, "scope": "tenant", "version": "1.0.0"}

    assert client.post(path("version-clone", version), sent).status_code == 422


def test_version_is_deleted(client, admin):
    version = make_published(admin)
    draft = actions.new_version(of=version, version="1.1.0", by=admin)

    response = client.post(path("version-delete", draft))

    assert response.url == path("detail", version)
    assert ProfileVersion.objects.count() == 1


# Profile


def test_name_and_description_change(client, admin):
    version = make_published(admin)

    client.post(path("edit", version), {"name": "West", "description": "Theirs"})

    profile = ClusterProfile.objects.get()
    assert (profile.name, profile.description) == ("West", "Theirs")


def test_name_that_is_taken_comes_back(client, admin):
    make_profile(admin, name="West")
    version = make_profile(admin, name="East")

    assert client.post(path("edit", version), {"name": "West"}).status_code == 422


def test_profile_is_deleted_when_its_name_was_typed(client, admin):
    version = make_profile(admin)

    assert client.post(path("delete", version), {"confirm": "other"}).status_code == 409
    assert client.post(path("delete", version), {"confirm": version.profile.name}).url == path("list")
    assert not ClusterProfile.objects.exists()


def test_versions_stand_newest_first(client, admin):
    version = make_published(admin)
    for number in ("1.2.0", "1.10.0"):
        actions.new_version(of=version, version=number, by=admin)

    page = text(client.get(path("version", version)))

    places = [page.index(f">{number}</a>") for number in ("1.10.0", "1.2.0", "1.0.0")]
    assert places == sorted(places)
