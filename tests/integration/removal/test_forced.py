"""Force Delete: not before its time, one more try, then a list of what remains, which turns green."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from pyVmomi import vim

from clusters.actions.leaving import delete_cluster, force_deletable_at, force_delete_cluster
from clusters.actions.leftovers import check_leftovers, watch_leftovers
from clusters.models import Cluster, ClusterSecrets, Leftover, LeftoverKind, Machine
from clusters.states import ClusterState, MachineState
from clusters.steps import forced
from gateways.models import CloudAccount
from ippools.actions.sweep import orphaned_claims
from ippools.models import IPAddressClaim
from palette_portal.http import Conflict
from palette_portal.orchestration.models import Operation, OperationKind, StepState
from palette_portal.tenants.models import AuditRow, User
from palette_portal.tenants.permissions import Denied
from palette_portal.tenants.roles import Role
from palette_portal.vsphere.errors import Unreachable
from tests.factories import amelia, bao, make_cluster, make_project, make_user
from tests.integration.provisioning.stage import Stage
from tests.integration.provisioning.test_repeated import dying_first_at, steps_run_as
from tests.integration.removal.scene import assert_nothing_left, finish, follow_latest
from tests.integration.removal.tenant import age, provision, run
from tests.integration.vsphere.test_machines import attach_volume


@pytest.fixture
def project_admin(db: None) -> User:
    return make_user("pia", Role.PROJECT_ADMIN, project=make_project())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which the last try fails anyway."""
    monkeypatch.setattr(forced, "PATIENCE", timedelta(seconds=1))


def delete(stage: Stage, by: User) -> None:
    delete_cluster(cluster=stage.cluster, by=by)
    follow_latest(stage)


def force(stage: Stage, by: User) -> None:
    age(stage.cluster, minutes=16)
    force_delete_cluster(cluster=stage.cluster, by=by)
    follow_latest(stage)


def stuck_in_vcenter(stage: Stage, by: User) -> None:
    """vCenter refuses to remove the machines, again and again."""
    stage.lab.fail("Destroy_Task", times=0)
    delete(stage, by)
    stage.go_on_until(lambda: stage.step("shop-cp-1/destroyed").state == StepState.RETRYING)


def held(stage: Stage) -> list[str]:
    claims = IPAddressClaim.objects.held().filter(cluster_id=stage.cluster.pk)
    return sorted(claims.values_list("owner_name", flat=True))


def leftovers(stage: Stage) -> dict[str, list[str]]:
    """Names by kind, of what is not gone."""
    found: dict[str, list[str]] = {}
    for row in stage.cluster.leftovers.filter(gone_at=None):
        found.setdefault(row.kind, []).append(row.name)
    return found


def confirm_again(stage: Stage) -> None:
    """The second look comes some seconds after the first."""
    missed = Leftover.objects.filter(cluster=stage.cluster, gone_at=None, missed_at__isnull=False)
    missed.update(missed_at=timezone.now() - timedelta(seconds=10))


def test_force_is_refused_until_fifteen_minutes_by_the_databases_clock(
    stage: Stage, project_admin: User
) -> None:
    provision(stage)
    with pytest.raises(Conflict, match="Only a cluster that is Deleting"):
        force_delete_cluster(cluster=stage.cluster, by=project_admin)
    Cluster.objects.filter(pk=stage.cluster.pk).update(state=ClusterState.RUNNING)
    stage.cluster.refresh_from_db()
    delete(stage, project_admin)

    age(stage.cluster, minutes=14.9)
    with pytest.raises(Conflict, match="can be forced from"):
        force_delete_cluster(cluster=stage.cluster, by=project_admin)
    assert stage.operation.is_active

    age(stage.cluster, minutes=15.1)
    operation = force_delete_cluster(cluster=stage.cluster, by=project_admin)

    assert operation.kind == OperationKind.FORCE_DELETE
    assert AuditRow.objects.get(action="force-delete").user == project_admin


def test_force_ignores_the_clock_of_the_portal(
    stage: Stage, project_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    provision(stage)
    Cluster.objects.filter(pk=stage.cluster.pk).update(state=ClusterState.DELETING, deleting_at=Now())
    later = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr(timezone, "now", lambda: later)

    with pytest.raises(Conflict, match="can be forced from"):
        force_delete_cluster(cluster=stage.cluster, by=project_admin)


@pytest.mark.django_db
def test_force_is_for_tenant_and_project_admins() -> None:
    cluster = make_cluster(project=make_project(), state=ClusterState.DELETING)
    age(cluster, minutes=20)

    for person in (bao(), make_user("sam", Role.SUPPORT)):
        with pytest.raises(Denied, match="Tenant Admin or Project Admin"):
            force_delete_cluster(cluster=cluster, by=person)
    assert force_delete_cluster(cluster=cluster, by=amelia())


@pytest.mark.django_db
def test_time_to_force_begins_with_the_deletion() -> None:
    cluster = make_cluster(project=make_project(), state=ClusterState.DELETING)
    age(cluster, minutes=3)
    cluster.refresh_from_db()

    assert force_deletable_at(cluster) - cluster.deleting_at == timedelta(minutes=15)


def test_force_removes_what_can_be_removed_after_all(stage: Stage, project_admin: User) -> None:
    run(stage, workers=2)
    stuck_in_vcenter(stage, project_admin)
    stage.heal()

    force(stage, project_admin)
    finish(stage)

    assert_nothing_left(stage)
    assert leftovers(stage) == {}


def test_force_twice_is_refused(stage: Stage, project_admin: User) -> None:
    run(stage)
    stuck_in_vcenter(stage, project_admin)
    force(stage, project_admin)

    with pytest.raises(Conflict, match="forced already"):
        force_delete_cluster(cluster=stage.cluster, by=project_admin)


@pytest.mark.usefixtures("impatient")
def test_force_lists_what_remains_and_keeps_its_addresses(stage: Stage, project_admin: User) -> None:
    run(stage, workers=1, has_own_folder=True)
    attach_volume(stage.vcenter, "shop-cp-1", volume="ledger")
    stuck_in_vcenter(stage, project_admin)

    force(stage, project_admin)
    finish(stage)

    assert stage.cluster.state == ClusterState.DELETED
    assert not ClusterSecrets.objects.filter(cluster=stage.cluster).exists()
    assert {machine.state for machine in Machine.objects.all()} == {MachineState.DELETED}
    left = leftovers(stage)
    assert left[LeftoverKind.MACHINE] == ["shop-cp-1", "shop-worker-pool-1"]
    assert left[LeftoverKind.FOLDER] == ["shop"]
    assert left[LeftoverKind.VOLUME] == ["[shared-nfs-1] fcd/ledger.vmdk"]
    assert len(left[LeftoverKind.DISK]) == 2
    assert len(left[LeftoverKind.ADDRESS]) == 3
    assert held(stage) == ["shop", "shop-cp-1", "shop-worker-pool-1"]
    row = stage.cluster.leftovers.get(kind=LeftoverKind.MACHINE, name="shop-cp-1")
    assert row.moid == stage.vcenter.machine("shop-cp-1")._GetMoId()
    assert row.path == "dc-1/vm/palette-gateways/shop/shop-cp-1"
    assert {"shop-cp-1", "shop-worker-pool-1"} <= {
        event.object_name for event in stage.events("LeftOnVCenter")
    }


@pytest.mark.usefixtures("impatient")
def test_force_releases_the_addresses_of_what_is_gone(stage: Stage, project_admin: User) -> None:
    run(stage, workers=1)
    stage.lab.fail("Destroy_Task", times=0, name="shop-cp-1")
    delete(stage, project_admin)
    stage.go_on_until(lambda: stage.step("shop-cp-1/destroyed").state == StepState.RETRYING)

    force(stage, project_admin)
    finish(stage)

    assert held(stage) == ["shop", "shop-cp-1"]
    assert leftovers(stage)[LeftoverKind.MACHINE] == ["shop-cp-1"]


@pytest.mark.usefixtures("impatient")
def test_force_without_vcenter_lists_what_the_portal_remembers(stage: Stage, project_admin: User) -> None:
    run(stage, workers=1)
    with stage.outage():
        delete(stage, project_admin)
        stage.go_on_until(lambda: stage.step("shop-cp-1/powered-off").reason == "Unreachable")

        force(stage, project_admin)
        finish(stage)

    assert stage.cluster.state == ClusterState.DELETED
    assert leftovers(stage)[LeftoverKind.MACHINE] == ["shop-cp-1", "shop-worker-pool-1"]
    assert held(stage) == ["shop", "shop-cp-1", "shop-worker-pool-1"]


@pytest.mark.parametrize("method", ["keep_reference", "still_mine"])
def test_force_while_workers_die(
    stage: Stage, project_admin: User, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    run(stage)
    stuck_in_vcenter(stage, project_admin)
    stage.heal()
    force(stage, project_admin)

    with steps_run_as(monkeypatch, dying_first_at(method, monkeypatch)):
        finish(stage)

    assert_nothing_left(stage)


def test_machine_that_does_not_go_is_given_up_after_some_seconds(stage: Stage, project_admin: User) -> None:
    run(stage)
    stage.lab.set_durations(destroy_seconds=3)
    delete(stage, project_admin)
    stage.go_on_until(lambda: stage.machine_step("destroyed").external_ref)
    force(stage, project_admin)
    stage.go_on_until(lambda: stage.step("shop-cp-1/last-try").state == StepState.WAITING)
    stage.operation.steps.filter(key="shop-cp-1/last-try").update(
        first_started_at=timezone.now() - timedelta(seconds=40)
    )

    finish(stage)

    assert leftovers(stage)[LeftoverKind.MACHINE] == ["shop-cp-1"]
    assert "not removed within 20 seconds" in stage.step("shop-cp-1/last-try").message


@pytest.mark.usefixtures("impatient")
def test_leftovers_turn_green_when_they_are_gone(stage: Stage, project_admin: User) -> None:
    run(stage, has_own_folder=True)
    stuck_in_vcenter(stage, project_admin)
    force(stage, project_admin)
    finish(stage)
    check_leftovers(cluster=stage.cluster, by=project_admin)
    assert LeftoverKind.MACHINE in leftovers(stage)
    stage.heal()

    stage.vcenter.remove([stage.vcenter.machine("shop-cp-1")._GetMoId()])
    check_leftovers(cluster=stage.cluster, by=project_admin)
    assert held(stage) == ["shop", "shop-cp-1"], "one look is not enough"
    confirm_again(stage)
    check_leftovers(cluster=stage.cluster, by=project_admin)

    assert held(stage) == []
    assert leftovers(stage) == {LeftoverKind.FOLDER: ["shop"]}
    stage.vcenter.wait(stage.vcenter.find(vim.Folder, "shop").Destroy_Task())
    check_leftovers(cluster=stage.cluster, by=project_admin)
    assert leftovers(stage) == {}
    (told,) = stage.events("LeftoversGone")
    assert "Nothing of the cluster remains" in told.message


@pytest.mark.usefixtures("impatient")
def test_schedule_frees_the_addresses_without_anybody(stage: Stage, project_admin: User) -> None:
    run(stage)
    stuck_in_vcenter(stage, project_admin)
    force(stage, project_admin)
    finish(stage)
    stage.heal()
    stage.vcenter.remove([stage.vcenter.machine("shop-cp-1")._GetMoId()])

    watch_leftovers()
    confirm_again(stage)
    watch_leftovers()

    assert held(stage) == []
    assert leftovers(stage) == {}
    stage.lab.forget_calls()
    watch_leftovers()
    assert stage.lab.calls() == {}


@pytest.mark.usefixtures("impatient")
def test_machine_that_comes_back_between_two_looks_is_there(stage: Stage, project_admin: User) -> None:
    run(stage)
    stuck_in_vcenter(stage, project_admin)
    force(stage, project_admin)
    finish(stage)
    Leftover.objects.filter(kind=LeftoverKind.MACHINE).update(missed_at=timezone.now() - timedelta(minutes=1))

    check_leftovers(cluster=stage.cluster, by=project_admin)

    row = stage.cluster.leftovers.get(kind=LeftoverKind.MACHINE)
    assert (row.gone_at, row.missed_at) == (None, None)
    assert held(stage) == ["shop", "shop-cp-1"]


@pytest.mark.usefixtures("impatient")
def test_check_without_vcenter_changes_nothing(stage: Stage, project_admin: User) -> None:
    run(stage)
    stuck_in_vcenter(stage, project_admin)
    force(stage, project_admin)
    finish(stage)
    before = leftovers(stage)

    with stage.outage(), pytest.raises(Unreachable):
        check_leftovers(cluster=stage.cluster, by=project_admin)

    assert leftovers(stage) == before


@pytest.mark.usefixtures("impatient")
def test_check_after_the_account_was_deleted_says_so(stage: Stage, project_admin: User) -> None:
    run(stage)
    stuck_in_vcenter(stage, project_admin)
    force(stage, project_admin)
    finish(stage)
    Cluster.objects.update(cloud_account=None)
    CloudAccount.objects.all().delete()
    stage.cluster.refresh_from_db()

    with pytest.raises(Conflict, match="account was deleted"):
        check_leftovers(cluster=stage.cluster, by=project_admin)
    watch_leftovers()

    assert set(orphaned_claims(stage.pool).values_list("owner_name", flat=True)) == {"shop", "shop-cp-1"}


@pytest.mark.usefixtures("impatient")
def test_no_operation_is_left_behind(stage: Stage, project_admin: User) -> None:
    run(stage)
    stuck_in_vcenter(stage, project_admin)
    force(stage, project_admin)
    finish(stage)

    assert not Operation.objects.active().exists()
