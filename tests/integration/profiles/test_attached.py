"""Add-on profiles that clusters have: where they are told, and what holds on to them."""

import pytest

from clusters.models import ClusterAddOn, ClusterLayer
from clusters.profiles import actions
from clusters.profiles.models import ProfileType, ProfileVersion
from clusters.profiles.render import PlainLayer
from clusters.states import ClusterState
from palette_portal.http import Conflict
from tests.factories import make_cluster, make_project
from tests.integration.profiles.stage import make_published, path
from tests.integration.profiles.test_pages import text

pytestmark = pytest.mark.django_db


def attach(version, **fields):
    cluster = make_cluster(project=make_project(), **fields)
    ClusterAddOn.objects.create(cluster=cluster, profile=version.profile, version=version, position=1)
    return cluster


def add_on_profile(admin):
    layers = [PlainLayer("add-on", "metrics-server", "0.8.1")]
    return make_published(admin, name="monitoring", type=ProfileType.ADD_ON, layers=layers)


def test_add_on_profile_that_a_cluster_has_is_not_deleted(admin):
    version = add_on_profile(admin)
    attach(version)
    actions.new_version(of=version, version="1.1.0", by=admin)

    with pytest.raises(Conflict, match="1 cluster has it attached"):
        actions.delete_profile(profile=version.profile, by=admin)
    with pytest.raises(Conflict, match="attached"):
        actions.delete_version(version=version, by=admin)

    assert ProfileVersion.objects.filter(profile=version.profile).count() == 2


def test_deleted_cluster_forgets_its_add_on_profile_and_keeps_the_packs(admin):
    version = add_on_profile(admin)
    cluster = attach(version, state=ClusterState.DELETED, deleted_at="2026-11-01T00:00Z")
    row = ClusterLayer.objects.create(
        cluster=cluster,
        add_on=cluster.add_ons.get(),
        kind="add-on",
        position=1,
        pack="metrics-server",
        pack_version="0.8.1",
    )

    actions.delete_profile(profile=version.profile, by=admin)

    row.refresh_from_db()
    assert row.add_on is None and not ClusterAddOn.objects.exists()


def test_list_and_page_of_an_add_on_profile_tell_where_it_is_attached(client, admin):
    version = add_on_profile(admin)
    assert "No cluster has it attached." in text(client.get(path("detail", version)))
    for name in ("shop", "blog"):
        attach(version, name=name)

    listed, page = text(client.get(path("list"))), text(client.get(path("detail", version)))

    assert '<td role="cell">2</td>' in listed
    assert page.index(">blog</a>") < page.index(">shop</a>")
    assert page.count('<span class="tag mono">1.0.0</span>') >= 2
