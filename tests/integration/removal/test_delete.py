"""Delete a gateway in every state: what only it had goes, and whoever uses it is named."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from clusters.models import Cluster
from clusters.states import ClusterState, MachineState
from gateways.actions.delete import (
    REVOKED,
    GatewayInUse,
    check_remove_anyway,
    delete_gateway,
    remove_gateway_anyway,
)
from gateways.actions.pairing import (
    Registration,
    RegistrationRefused,
    create_gateway,
    find_installer,
    register_installer,
)
from gateways.actions.reset import reset_gateway
from gateways.models import CloudAccount, ConfigureDraft, PrivateCloudGateway
from gateways.states import GatewayState
from ippools.models import IPAddressClaim, IPPool
from palette_portal.http import Conflict
from palette_portal.orchestration.models import Event, OperationKind, StepState
from palette_portal.tenants.models import AuditRow, User
from tests.factories import amelia, make_cluster, make_gateway, make_pool, make_project
from tests.integration.provisioning.stage import Stage
from tests.integration.provisioning.test_repeated import dying_first_at, steps_run_as
from tests.integration.removal.scene import (
    all_machines,
    assert_nothing_left,
    finish,
    follow_latest,
    provision,
)


@pytest.fixture
def admin(db: None) -> User:
    return amelia()


def run(stage: Stage, *, nodes: int = 1) -> None:
    """A gateway in service, with the account that Confirm makes."""
    CloudAccount.objects.filter(pk=stage.account.pk).update(is_default=True)
    provision(stage, nodes=nodes)
    stage.finish()
    stage.gateway.refresh_from_db()
    assert stage.gateway.state == GatewayState.RUNNING


def delete(stage: Stage, admin: User) -> None:
    delete_gateway(gateway=stage.gateway, by=admin)
    follow_latest(stage)


def assert_gateway_gone(gateway: PrivateCloudGateway) -> None:
    gateway.refresh_from_db()
    assert gateway.state == GatewayState.DELETED
    assert gateway.installer_token_hash in ("", REVOKED)
    assert not IPPool.objects.filter(gateway=gateway).exists()
    assert not CloudAccount.objects.filter(gateway=gateway, is_default=True).exists()
    assert not ConfigureDraft.objects.filter(gateway=gateway).exists()
    assert not gateway.pairing_codes.usable().exists()


def test_delete_a_running_gateway(stage: Stage, admin: User) -> None:
    machines = all_machines(stage)
    run(stage, nodes=3)

    delete(stage, admin)
    stage.gateway.refresh_from_db()
    assert stage.gateway.state == GatewayState.DELETING
    finish(stage)

    assert_nothing_left(stage)
    assert_gateway_gone(stage.gateway)
    assert all_machines(stage) == machines
    (told,) = stage.events("GatewayDeleted")
    assert "installer virtual machine (10.10.0.9) stays" in told.message
    audit = AuditRow.objects.filter(user=admin).values_list("action", "object_kind")
    assert {("delete", "gateway"), ("delete", "cloud-account"), ("delete", "ip-pool")} <= {*audit}


@pytest.mark.parametrize("method", ["keep_reference", "still_mine"])
def test_delete_while_workers_die(
    stage: Stage, admin: User, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    run(stage)
    delete(stage, admin)

    with steps_run_as(monkeypatch, dying_first_at(method, monkeypatch)):
        finish(stage)

    assert_nothing_left(stage)
    assert_gateway_gone(stage.gateway)


def test_delete_in_the_middle_of_a_provisioning(stage: Stage, admin: User) -> None:
    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("configured").state == StepState.DONE)

    delete(stage, admin)
    finish(stage)

    assert_nothing_left(stage)
    assert_gateway_gone(stage.gateway)


def test_delete_in_the_middle_of_a_reset(stage: Stage, admin: User) -> None:
    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("powered-on").state == StepState.DONE)
    reset_gateway(gateway=stage.gateway, by=admin)
    follow_latest(stage)
    stage.go_on_until(lambda: stage.machine_step("powered-off").state == StepState.DONE)

    delete(stage, admin)
    finish(stage)

    assert_nothing_left(stage)
    assert_gateway_gone(stage.gateway)
    assert stage.operation.kind == OperationKind.DELETE


def test_delete_twice_is_refused(stage: Stage, admin: User) -> None:
    run(stage)
    delete(stage, admin)

    with pytest.raises(Conflict, match="being deleted already"):
        delete_gateway(gateway=stage.gateway, by=admin)
    finish(stage)
    with pytest.raises(Conflict, match="deleted already"):
        delete_gateway(gateway=stage.gateway, by=admin)


def test_delete_is_refused_while_clusters_use_the_gateway(admin: User) -> None:
    gateway = make_gateway(admin.tenant, state=GatewayState.RUNNING)
    project = make_project(admin.tenant)
    shop = make_cluster(gateway, name="shop", project=project, state=ClusterState.RUNNING)
    make_cluster(gateway, name="old", project=project, state=ClusterState.DELETED, deleted_at=timezone.now())

    with pytest.raises(GatewayInUse, match="shop") as refused:
        delete_gateway(gateway=gateway, by=admin)

    assert refused.value.clusters == [shop]
    gateway.refresh_from_db()
    assert gateway.state == GatewayState.RUNNING
    assert not AuditRow.objects.exists()


def test_delete_of_a_gateway_that_never_registered_is_done_at_once(admin: User) -> None:
    gateway, code = create_gateway(tenant=admin.tenant, by=admin)

    assert delete_gateway(gateway=gateway, by=admin) is None

    assert_gateway_gone(gateway)
    registration = Registration(
        pairing_code=code, name="late", ip_address="10.10.0.9", version="1.0.0", instance_uuid=None
    )
    with pytest.raises(RegistrationRefused) as refused:
        register_installer(registration)
    assert refused.value.code == "PairingCodeExpired"


def test_delete_of_a_pending_gateway_takes_its_pools_and_draft(admin: User) -> None:
    gateway = make_gateway(admin.tenant)
    make_pool(gateway)
    ConfigureDraft.objects.create(gateway=gateway, password="typed")

    delete_gateway(gateway=gateway, by=admin)

    assert_gateway_gone(gateway)
    told = Event.objects.of(gateway.subject).get(reason="GatewayDeleted")
    assert "remove it in vCenter" in told.message


def test_deleted_gateway_frees_its_name_and_locks_its_installer_out(admin: User) -> None:
    gateway = make_gateway(admin.tenant, name="dc-east")
    assert find_installer(gateway.pk, "installer-token")

    delete_gateway(gateway=gateway, by=admin)

    assert find_installer(gateway.pk, "installer-token") is None
    make_gateway(admin.tenant, name="dc-east")


def test_delete_keeps_the_account_that_another_gateways_cluster_uses(stage: Stage, admin: User) -> None:
    run(stage)
    other = make_gateway(stage.gateway.tenant)
    user = make_cluster(
        other,
        project=make_project(stage.gateway.tenant),
        cloud_account=stage.account,
        state=ClusterState.RUNNING,
    )

    delete(stage, admin)
    finish(stage)

    user.refresh_from_db()
    assert user.cloud_account == stage.account


def test_vcenter_is_gone_for_ever(stage: Stage, admin: User) -> None:
    run(stage)
    delete(stage, admin)
    with pytest.raises(Conflict, match="nothing of it has failed"):
        remove_gateway_anyway(gateway=stage.gateway, by=admin)
    with stage.outage():
        stage.go_on_until(lambda: stage.machine_step("powered-off").reason == "Unreachable")

        remove_gateway_anyway(gateway=stage.gateway, by=admin)

    assert_gateway_gone(stage.gateway)
    stage.cluster.refresh_from_db()
    assert stage.cluster.state == ClusterState.DELETED
    assert stage.machine().state == MachineState.DELETED
    assert not IPAddressClaim.objects.held().exists()
    (told,) = stage.events("GatewayRemovedAnyway")
    remaining = f"{stage.machine().name} ({stage.machine().ip_address})"
    assert remaining in told.message and "installer" in told.message
    row = AuditRow.objects.get(action="remove-anyway")
    assert row.detail["may_remain"] == [remaining]
    stage.operation.refresh_from_db()
    assert not stage.operation.is_active


def test_remove_anyway_comes_after_delete_only(stage: Stage, admin: User) -> None:
    run(stage)

    with pytest.raises(Conflict, match="Delete it first"):
        check_remove_anyway(stage.gateway, stage.cluster)


def test_remove_anyway_outlives_the_step_that_a_worker_still_does(
    stage: Stage, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step of the deletion was on its way when the admin gave up: its result changes nothing."""
    run(stage)
    delete(stage, admin)
    with stage.outage():
        stage.go_on_until(lambda: stage.machine_step("powered-off").reason == "Unreachable")
    done = []

    def give_up(function, context):
        outcome = function(context)
        if context.key.endswith("/gone") and not done:
            done.append(context.key)
            stage.operation.steps.filter(key="nothing-left").update(
                failures=1, state=StepState.RETRYING, due_at=timezone.now()
            )
            remove_gateway_anyway(gateway=stage.gateway, by=admin)
        return outcome

    with steps_run_as(monkeypatch, give_up):
        stage.go_on_until(lambda: done)

    assert_gateway_gone(stage.gateway)
    assert stage.machine().state == MachineState.DELETED


def test_cluster_without_an_account_is_deleted_or_refused_by_the_database(admin: User) -> None:
    cluster = make_cluster(state=ClusterState.RUNNING)

    with pytest.raises(IntegrityError, match="cluster_account_until_deleted"), transaction.atomic():
        Cluster.objects.filter(pk=cluster.pk).update(cloud_account=None)
