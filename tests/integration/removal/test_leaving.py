"""Delete and Abort a tenant cluster: in every state, with a refused login, with volumes, folder and tags."""

import pytest
from pyVmomi import vim

from clusters.actions.leaving import LoginDoesNotWork, abort_cluster, delete_cluster
from clusters.models import Cluster, Leftover, LeftoverKind
from clusters.states import ClusterState
from gateways.models import CloudAccount
from ippools.models import IPAddressClaim
from palette_portal.http import Conflict
from palette_portal.orchestration.models import Operation, OperationKind, OperationState, StepState
from palette_portal.orchestration.outcomes import Outcome
from palette_portal.orchestration.steps import StepContext
from palette_portal.tenants.models import AuditRow, User
from palette_portal.tenants.permissions import Denied
from palette_portal.tenants.roles import Role
from tests.factories import amelia, bao, make_cluster, make_gateway, make_project, make_user
from tests.integration.provisioning.stage import Stage
from tests.integration.provisioning.test_repeated import dying_first_at, steps_run_as
from tests.integration.removal.scene import StepFunction, all_machines, finish, follow_latest
from tests.integration.removal.scene import assert_nothing_left as nothing_left
from tests.integration.removal.tenant import provision, run
from tests.integration.vsphere.test_machines import attach_volume

STEPS = [
    "account-valid",
    "placement-valid",
    "addresses-claimed",
    "image-found",
    "pki-generated",
    *(f"shop-cp-1/{word}" for word in ("cloned", "configured", "powered-on", "address", "in-cluster")),
    "nodes-ready",
    "cluster-running",
]


@pytest.fixture
def editor(db: None) -> User:
    return bao()


def delete(stage: Stage, by: User) -> None:
    delete_cluster(cluster=stage.cluster, by=by)
    follow_latest(stage)


def assert_nothing_left(stage: Stage) -> None:
    finish(stage)
    nothing_left(stage)


def test_delete_a_running_cluster(stage: Stage, editor: User) -> None:
    machines = all_machines(stage)
    run(stage, workers=2)

    delete(stage, editor)
    stage.cluster.refresh_from_db()
    assert stage.cluster.state == ClusterState.DELETING
    assert stage.cluster.deleting_at is not None
    assert_nothing_left(stage)

    assert all_machines(stage) == machines
    assert stage.operation.kind == OperationKind.DELETE
    row = AuditRow.objects.get(action="delete", object_kind="cluster")
    assert (row.user, row.project, row.object_name) == (editor, stage.cluster.project, "shop")


def test_delete_does_not_mind_machines_removed_by_hand(stage: Stage, editor: User) -> None:
    run(stage, workers=2)
    names = [machine.name for machine in stage.cluster.machines.all()]
    for name in names[:2]:
        stage.vcenter.remove([stage.vcenter.machine(name)._GetMoId()])

    delete(stage, editor)

    assert_nothing_left(stage)


@pytest.mark.parametrize("method", ["keep_reference", "still_mine"])
def test_delete_while_workers_die(
    stage: Stage, editor: User, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    run(stage, has_own_folder=True)
    attach_volume(stage.vcenter, stage.machine().name, volume=f"died-in-{method}")
    delete(stage, editor)

    with steps_run_as(monkeypatch, dying_first_at(method, monkeypatch)):
        finish(stage)

    nothing_left(stage)
    assert Leftover.objects.get().kind == LeftoverKind.VOLUME


def test_delete_with_a_refused_login_starts_nothing(stage: Stage, editor: User) -> None:
    run(stage)
    CloudAccount.objects.filter(pk=stage.account.pk).update(password="expired")
    stage.cluster.refresh_from_db()

    with pytest.raises(LoginDoesNotWork, match="refused the user name or password"):
        delete_cluster(cluster=Cluster.objects.get(pk=stage.cluster.pk), by=editor)

    stage.cluster.refresh_from_db()
    assert stage.cluster.state == ClusterState.RUNNING
    assert not Operation.objects.active().exists()
    assert CloudAccount.objects.get(pk=stage.account.pk).refused_logins == 1
    assert not AuditRow.objects.filter(action="delete").exists()


def test_delete_stops_trying_a_login_that_was_refused_too_often(stage: Stage, editor: User) -> None:
    run(stage)
    CloudAccount.objects.filter(pk=stage.account.pk).update(password="expired")
    for _ in range(3):
        with pytest.raises(LoginDoesNotWork):
            delete_cluster(cluster=Cluster.objects.get(pk=stage.cluster.pk), by=editor)
    stage.lab.forget_calls()

    with pytest.raises(LoginDoesNotWork, match="would lock the user"):
        delete_cluster(cluster=Cluster.objects.get(pk=stage.cluster.pk), by=editor)

    assert "Login" not in stage.lab.calls()


def test_delete_begins_although_vcenter_does_not_answer(stage: Stage, editor: User) -> None:
    run(stage)
    with stage.outage():
        delete(stage, editor)
        stage.go_on_until(lambda: stage.machine_step("powered-off").reason == "Unreachable")

    assert_nothing_left(stage)


def test_volumes_of_workloads_are_detached_and_listed(stage: Stage, editor: User) -> None:
    run(stage)
    attach_volume(stage.vcenter, stage.machine().name, volume="orders")

    delete(stage, editor)
    assert_nothing_left(stage)

    (told,) = stage.events("VolumeDetached")
    assert "[shared-nfs-1] fcd/orders.vmdk" in told.message and "shop-cp-1" in told.message
    row = Leftover.objects.get()
    assert (row.kind, row.name, row.gone_at) == (LeftoverKind.VOLUME, "[shared-nfs-1] fcd/orders.vmdk", None)


def test_own_folder_and_tags_go_with_the_cluster(stage: Stage, editor: User) -> None:
    run(stage, has_own_folder=True, tags=("team:payments",))
    assert "shop" in stage.vcenter.names(vim.Folder)

    delete(stage, editor)
    assert_nothing_left(stage)

    assert "shop" not in stage.vcenter.names(vim.Folder)
    assert stage.step("folder-removed").state == StepState.DONE
    assert "team:payments" in stage.step("tags-removed").message


def test_own_folder_stays_when_somebody_uses_it(stage: Stage, editor: User) -> None:
    run(stage, has_own_folder=True)
    stage.vcenter.create_machine("file-share", folder="shop")

    delete(stage, editor)
    assert_nothing_left(stage)

    assert "shop" in stage.vcenter.names(vim.Folder)
    (told,) = stage.events("FolderLeft")
    assert "did not make" in told.message
    stage.vcenter.remove([stage.vcenter.machine("file-share")._GetMoId()])


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("key", STEPS)
def test_abort_while_a_worker_does_the_step(
    stage: Stage, editor: User, monkeypatch: pytest.MonkeyPatch, key: str, moment: str
) -> None:
    machines = all_machines(stage)
    provision(stage)
    interrupted: list[str] = []

    def abort() -> None:
        interrupted.append(key)
        abort_cluster(cluster=stage.cluster, by=editor)
        follow_latest(stage)

    def interrupt(function: StepFunction, context: StepContext) -> Outcome:
        is_target = context.key == key and not interrupted
        if is_target and moment == "before":
            abort()
        outcome = function(context)
        if is_target and moment == "after":
            abort()
        return outcome

    with steps_run_as(monkeypatch, interrupt):
        stage.go_on_until(lambda: interrupted)
        assert_nothing_left(stage)

    assert all_machines(stage) == machines
    assert stage.operation.kind == OperationKind.ABORT


def test_abort_of_a_cluster_in_the_queue_asks_vcenter_nothing(stage: Stage, editor: User) -> None:
    provision(stage, has_own_folder=True, tags=("team",))
    Operation.objects.update(state=OperationState.QUEUED, reason="The gateway is busy.")
    CloudAccount.objects.filter(pk=stage.account.pk).update(password="expired")
    stage.lab.forget_calls()

    abort_cluster(cluster=stage.cluster, by=editor)
    follow_latest(stage)
    assert_nothing_left(stage)

    assert "Login" not in stage.lab.calls()


def test_delete_and_abort_say_which_of_them_it_is(editor: User) -> None:
    project = make_project()
    provisioning = make_cluster(project=project, state=ClusterState.PROVISIONING)
    running = make_cluster(provisioning.gateway, name="b", project=project, state=ClusterState.RUNNING)
    deleting = make_cluster(provisioning.gateway, name="c", project=project, state=ClusterState.DELETING)

    with pytest.raises(Conflict, match="abort it"):
        delete_cluster(cluster=provisioning, by=editor)
    with pytest.raises(Conflict, match="delete it"):
        abort_cluster(cluster=running, by=editor)
    with pytest.raises(Conflict, match="being deleted already"):
        delete_cluster(cluster=deleting, by=editor)
    with pytest.raises(Conflict, match="being deleted already"):
        abort_cluster(cluster=deleting, by=editor)
    assert not Operation.objects.exists()


@pytest.mark.django_db
def test_gateway_clusters_go_with_their_gateway_only() -> None:
    body = make_cluster(make_gateway(), state=ClusterState.RUNNING)

    with pytest.raises(Conflict, match="delete or reset the gateway"):
        delete_cluster(cluster=body, by=amelia())


@pytest.mark.django_db
@pytest.mark.parametrize("action", [delete_cluster, abort_cluster])
def test_viewer_and_support_may_not(action) -> None:
    cluster = make_cluster(project=make_project(), state=ClusterState.RUNNING)
    viewer = make_user("vera", Role.PROJECT_VIEWER, project=cluster.project)

    for person in (viewer, make_user("sam", Role.SUPPORT)):
        with pytest.raises(Denied):
            action(cluster=cluster, by=person)


def test_addresses_are_free_after_the_machines_are_gone_and_not_before(stage: Stage, editor: User) -> None:
    run(stage)
    stage.lab.fail("Destroy_Task", times=0)
    delete(stage, editor)
    stage.go_on_until(lambda: stage.machine_step("destroyed").state == StepState.RETRYING)

    assert IPAddressClaim.objects.held().filter(cluster_id=stage.cluster.pk).count() == 2

    stage.heal()
    assert_nothing_left(stage)
