"""What becomes of profiles in the database, and what the database itself refuses."""

import pytest
from django.db import IntegrityError, transaction

from clusters.profiles import actions
from clusters.profiles.actions.drafts import WrongValues, WrongVariable
from clusters.profiles.actions.profiles import NotPublishable
from clusters.profiles.models import ClusterProfile, ProfileLayer, ProfileType, ProfileVersion
from clusters.profiles.variables import Variable, VariableType
from clusters.states import ClusterState
from palette_portal.http import Conflict
from palette_portal.tenants.models import AuditRow
from tests.factories import amelia, make_cluster, make_project
from tests.integration.profiles.stage import layer, make_profile, make_published

pytestmark = pytest.mark.django_db

METALLB = {"pack": "metallb", "pack_version": "0.15.3"}


@pytest.fixture
def admin(db):
    return amelia()


def add_metallb(version, by, values=""):
    actions.add_layer(version=version, values=values, by=by, **METALLB)


def test_new_profile_begins_with_what_is_recommended(admin):
    version = make_profile(admin)

    assert [(row.kind, row.pack) for row in version.layers.all()] == [
        ("os", "ubuntu"),
        ("kubernetes", "kubernetes"),
        ("cni", "calico"),
        ("csi", "vsphere-csi"),
    ]
    assert (version.is_published, version.rank) == (False, 10**12)
    row = AuditRow.objects.get(object_kind="cluster-profile")
    assert (row.action, row.user, row.detail["version"]) == ("create", admin, "1.0.0")


def test_new_add_on_profile_begins_empty(admin):
    assert not make_profile(admin, type=ProfileType.ADD_ON).layers.exists()


def test_name_is_taken_once_in_its_scope_only(admin):
    make_profile(admin)
    make_profile(admin, project=make_project())

    with pytest.raises(Conflict, match="has this name"):
        make_profile(admin)


@pytest.mark.parametrize("version", ["1.0", "one", "1.0.0-rc1"])
def test_version_that_is_not_three_numbers_is_refused(admin, version):
    with pytest.raises(Conflict, match="three numbers"):
        make_profile(admin, version=version)
    assert not ClusterProfile.objects.exists()


# Drafts


def test_add_on_stands_behind_the_others_with_its_values(admin):
    version = make_profile(admin)

    add_metallb(version, admin, "addresses: [10.0.0.0/28]\n")

    last = version.layers.last()
    assert (last.pack, last.position, last.values) == ("metallb", 4, "addresses: [10.0.0.0/28]\n")


def test_wrong_values_are_not_saved(admin):
    version = make_profile(admin)
    calico = layer(version, "cni")

    with pytest.raises(WrongValues) as caught:
        actions.change_layer(
            layer=calico, pack="calico", pack_version="3.33.0", values="\nmtu: big", by=admin
        )

    assert [problem.line for problem in caught.value.problems] == [2]
    calico.refresh_from_db()
    assert calico.values == ""


def test_layer_changes_to_another_pack_of_its_kind_only(admin):
    version = make_profile(admin)
    calico = layer(version, "cni")

    actions.change_layer(layer=calico, pack="cilium", pack_version="1.20.3", values="", by=admin)
    with pytest.raises(Conflict, match="not for the layer"):
        actions.change_layer(layer=calico, pack="ubuntu", pack_version="24.04", values="", by=admin)

    assert layer(version, "cni").pack == "cilium"


def test_second_layer_of_a_kind_is_refused(admin):
    version = make_profile(admin)

    with pytest.raises(Conflict, match="has a layer Network"):
        actions.add_layer(version=version, pack="cilium", pack_version="1.20.3", values="", by=admin)


def test_add_on_is_added_once(admin):
    version = make_profile(admin)
    add_metallb(version, admin)

    with pytest.raises(Conflict, match="already"):
        add_metallb(version, admin)


def test_infrastructure_takes_no_add_on(admin):
    version = make_profile(admin, type=ProfileType.INFRASTRUCTURE)

    with pytest.raises(Conflict, match="take no such layer"):
        add_metallb(version, admin)


def test_pack_that_is_not_in_the_catalogue_is_refused(admin):
    with pytest.raises(Conflict, match="no pack nothing"):
        actions.add_layer(version=make_profile(admin), pack="nothing", pack_version="1", values="", by=admin)


def test_removed_layer_is_gone(admin):
    version = make_profile(admin)

    actions.remove_layer(layer=layer(version, "csi"), by=admin)

    assert version.layers.count() == 3


def test_variable_is_added_used_and_changed(admin):
    version = make_profile(admin)
    actions.set_variable(version=version, variable=Variable("RANGE"), by=admin)
    version.refresh_from_db()
    add_metallb(version, admin, "addresses: ['{{.spectro.var.RANGE}}']")

    actions.set_variable(
        version=version,
        variable=Variable("RANGE", default="10.0.0.0/28"),
        instead_of="RANGE",
        by=admin,
    )

    version.refresh_from_db()
    assert [row["default"] for row in version.variables] == ["10.0.0.0/28"]


def test_variable_in_use_is_neither_removed_nor_renamed_nor_made_unfit(admin):
    version = make_profile(admin)
    actions.set_variable(version=version, variable=Variable("RANGE"), by=admin)
    add_metallb(version, admin, "addresses: ['{{.spectro.var.RANGE}}']")

    with pytest.raises(Conflict, match="used in metallb"):
        actions.remove_variable(version=version, name="RANGE", by=admin)
    with pytest.raises(Conflict, match="used in metallb"):
        actions.set_variable(version=version, variable=Variable("OTHER"), instead_of="RANGE", by=admin)
    with pytest.raises(Conflict, match="does not fit MetalLB"):
        actions.set_variable(
            version=version, variable=Variable("RANGE", default="x"), instead_of="RANGE", by=admin
        )

    version.refresh_from_db()
    assert [(row["name"], row["default"]) for row in version.variables] == [("RANGE", "")]


def test_variable_name_is_taken_once(admin):
    version = make_profile(admin)
    actions.set_variable(version=version, variable=Variable("A"), by=admin)

    with pytest.raises(WrongVariable) as caught:
        actions.set_variable(version=version, variable=Variable("A"), by=admin)

    assert list(caught.value.errors) == ["name"]


def test_audit_row_of_a_masked_variable_holds_only_its_name(admin):
    version = make_profile(admin)

    actions.set_variable(version=version, variable=Variable("TOKEN", masked=True), by=admin)

    row = AuditRow.objects.get(action="add-variable")
    assert row.detail == {"version": "1.0.0", "variable": "TOKEN"}


# Publishing


def test_published_version_has_its_time_and_audit_row(admin):
    version = make_published(admin)

    assert version.is_published
    assert AuditRow.objects.get(action="publish").detail == {"version": "1.0.0"}


def test_incomplete_draft_is_not_published(admin):
    version = make_profile(admin)
    actions.remove_layer(layer=layer(version, "csi"), by=admin)

    with pytest.raises(NotPublishable, match="layer Storage is missing"):
        actions.publish_version(version=version, by=admin)

    version.refresh_from_db()
    assert not version.is_published


CHANGES = {
    "add layer": lambda version, by: add_metallb(version, by),
    "change layer": lambda version, by: actions.change_layer(
        layer=layer(version, "cni"), pack="cilium", pack_version="1.20.3", values="", by=by
    ),
    "remove layer": lambda version, by: actions.remove_layer(layer=layer(version, "cni"), by=by),
    "set variable": lambda version, by: actions.set_variable(version=version, variable=Variable("A"), by=by),
    "remove variable": lambda version, by: actions.remove_variable(version=version, name="A", by=by),
    "publish again": lambda version, by: actions.publish_version(version=version, by=by),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_published_version_is_changed_by_no_action(admin, change):
    version = make_published(admin)
    before = (list(version.layers.values()), version.variables, version.updated_at)

    with pytest.raises(Conflict, match="published and never changes"):
        change(version, admin)

    version.refresh_from_db()
    assert (list(version.layers.values()), version.variables, version.updated_at) == before


WRITES = {
    "variables": lambda version: ProfileVersion.objects.filter(pk=version.pk).update(variables=[{}]),
    "unpublish": lambda version: ProfileVersion.objects.filter(pk=version.pk).update(published_at=None),
    "values": lambda version: version.layers.update(values="mtu: 1"),
    "new layer": lambda version: ProfileLayer.objects.create(
        version=version, kind="add-on", position=9, pack="metallb", pack_version="0.15.3"
    ),
    "move layer": lambda version: version.layers.filter(kind="csi").update(
        version=make_profile(name="other", layers=[])
    ),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_published_version_is_kept_by_the_database(admin, write):
    version = make_published(admin)

    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        write(version)


@pytest.mark.django_db(transaction=True)
def test_layer_of_a_published_version_is_not_deleted_alone():
    version = make_published()

    with pytest.raises(IntegrityError, match="never changes"):
        version.layers.filter(kind="csi").delete()

    assert version.layers.count() == 4


@pytest.mark.django_db(transaction=True)
def test_published_version_goes_with_its_profile():
    version = make_published(amelia())

    actions.delete_profile(profile=version.profile, by=None)

    assert not ProfileVersion.objects.exists()


def test_published_version_may_lose_its_maker(admin):
    version = make_published(admin)

    ProfileVersion.objects.filter(pk=version.pk).update(created_by=None)

    version.refresh_from_db()
    assert version.created_by is None


# Further versions


def test_new_version_is_a_copy_that_may_be_changed(admin):
    version = make_published(admin, variables=[Variable("X", type=VariableType.NUMBER)])

    draft = actions.new_version(of=version, version="1.1.0", by=admin)

    assert draft.variables == version.variables
    assert [str(row) for row in draft.layers.all()] == [str(row) for row in version.layers.all()]
    add_metallb(draft, admin)
    assert (draft.layers.count(), version.layers.count()) == (5, 4)


@pytest.mark.parametrize("number", ["1.0.0", "0.9.9", "1.0"])
def test_new_version_is_greater_than_all_others(admin, number):
    version = make_published(admin)

    with pytest.raises(Conflict):
        actions.new_version(of=version, version=number, by=admin)

    assert version.profile.versions.count() == 1


def test_clone_is_a_profile_of_its_own(admin):
    project = make_project()
    version = make_published(admin, description="east")

    copy = actions.clone_profile(version=version, project=project, name="mine", new_version="0.1.0", by=admin)

    assert (copy.profile.project, copy.profile.name, copy.profile.description) == (project, "mine", "east")
    assert (copy.version, copy.is_published, copy.layers.count()) == ("0.1.0", False, 4)


def test_exported_version_is_imported_as_it_was(admin):
    version = make_profile(admin, variables=[Variable("RANGE", "Range", required=True)])
    add_metallb(version, admin, "# kept\naddresses: ['{{.spectro.var.RANGE}}']\n")
    text = actions.export_version(version)

    copy = actions.import_profile(text=text, tenant=admin.tenant, project=None, name="other", by=admin)

    assert copy.variables == version.variables
    assert list(copy.layers.values_list("pack", "pack_version", "values")) == list(
        version.layers.values_list("pack", "pack_version", "values")
    )


def test_imported_name_that_is_taken_is_refused(admin):
    text = actions.export_version(make_profile(admin))

    with pytest.raises(Conflict, match="has this name"):
        actions.import_profile(text=text, tenant=admin.tenant, project=None, by=admin)


# Deleting


def test_profile_in_use_is_not_deleted(admin):
    version = make_published(admin)
    make_cluster(project=make_project(), profile_version=version)

    with pytest.raises(Conflict, match="1 cluster is made of it"):
        actions.delete_profile(profile=version.profile, by=admin)
    with pytest.raises(Conflict):
        actions.delete_version(version=version, by=admin)

    assert ProfileVersion.objects.count() == 1


def test_deleted_cluster_forgets_the_profile_that_goes(admin):
    version = make_published(admin)
    cluster = make_cluster(
        project=make_project(),
        profile_version=version,
        state=ClusterState.DELETED,
        deleted_at="2026-11-01T00:00Z",
    )

    actions.delete_profile(profile=version.profile, by=admin)

    cluster.refresh_from_db()
    assert cluster.profile_version is None
    assert AuditRow.objects.get(action="delete").detail == {"versions": ["1.0.0"]}


def test_only_version_of_a_profile_is_not_deleted_alone(admin):
    with pytest.raises(Conflict, match="only version"):
        actions.delete_version(version=make_profile(admin), by=admin)


def test_version_among_others_is_deleted(admin):
    version = make_published(admin)
    draft = actions.new_version(of=version, version="1.1.0", by=admin)

    actions.delete_version(version=draft, by=admin)

    assert [found.version for found in version.profile.versions.all()] == ["1.0.0"]


def test_recommended_packs_can_be_published(admin):
    assert make_published(admin, layers=None).is_published
