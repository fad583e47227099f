"""A gateway of one node gets two more on the lab's vCenter, with everything that can go wrong on the way."""

import pytest
from django.db import IntegrityError, transaction
from pyVmomi import vim

from clusters.models import Machine, MachinePool, NodeInstruction, Placement
from clusters.states import ClusterState, MachineState
from gateways.actions.delete import delete_gateway
from gateways.actions.reset import reset_gateway
from gateways.actions.resize import NoRoom, check_resize, resize_gateway, room_to_resize
from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from ippools.models import IPAddressClaim
from palette_portal.http import Conflict
from palette_portal.orchestration.models import Event, Operation, OperationKind, StepState
from palette_portal.tenants.models import AuditRow, User
from tests.factories import amelia
from tests.integration.changes.scene import finish, machines_of, names
from tests.integration.provisioning.stage import Stage
from tests.integration.provisioning.test_repeated import dying_first_at, steps_run_as
from tests.integration.removal import scene as removal


@pytest.fixture
def admin(stage: Stage) -> User:
    return amelia()


@pytest.fixture
def gateway(stage: Stage, admin: User) -> PrivateCloudGateway:
    """Running, with one node."""
    removal.provision(stage)
    finish(stage)
    stage.guests.log.clear()
    stage.lab.forget_calls()
    stage.gateway.refresh_from_db()
    return stage.gateway


def resize(stage: Stage, gateway: PrivateCloudGateway, admin: User) -> None:
    stage.operation = resize_gateway(gateway=gateway, by=admin)


def sizes(gateway: PrivateCloudGateway) -> tuple[int, int]:
    gateway.refresh_from_db()
    pool = MachinePool.objects.get(cluster__gateway=gateway)
    return gateway.size, pool.size


def levels(stage: Stage, gateway: PrivateCloudGateway) -> dict[str, str]:
    return {line.key: line.level for line in room_to_resize(gateway, check_resize(gateway))}


def test_two_nodes_join_one_after_the_other(stage: Stage, gateway: PrivateCloudGateway, admin: User) -> None:
    resize(stage, gateway, admin)
    assert sizes(gateway) == (1, 3)
    assert gateway.state == GatewayState.RUNNING

    finish(stage)

    assert stage.operation.kind == OperationKind.RESIZE
    assert sizes(gateway) == (3, 3)
    second, third = machines_of(stage)[1:]
    assert stage.guests.log == [f"{second.name} in", f"{third.name} in"]
    assert {machine.state for machine in machines_of(stage)} == {MachineState.RUNNING}
    assert Event.objects.get(reason="GatewayResized").message.endswith("has 3 nodes.")
    row = AuditRow.objects.get(action="resize")
    assert (row.detail["before"], row.detail["after"]) == (1, 3)


def test_virtual_ip_stays_the_same(stage: Stage, gateway: PrivateCloudGateway, admin: User) -> None:
    before = stage.cluster.endpoint

    resize(stage, gateway, admin)
    finish(stage)

    assert stage.cluster.endpoint == before


def test_room_is_looked_up_first(stage: Stage, gateway: PrivateCloudGateway) -> None:
    assert levels(stage, gateway) == {"addresses": "passed", "space": "passed", "capacity": "passed"}


def test_full_datastore_is_refused_and_nothing_begins(
    stage: Stage, gateway: PrivateCloudGateway, admin: User
) -> None:
    move_to_datastore(stage, "cluster-1-scratch")

    with pytest.raises(NoRoom, match="cluster-1-scratch") as refused:
        resize(stage, gateway, admin)

    assert {line.key for line in refused.value.lines if line.level == "failed"} == {"space"}
    assert sizes(gateway) == (1, 1)
    assert not Operation.objects.filter(kind=OperationKind.RESIZE).exists()


def move_to_datastore(stage: Stage, name: str) -> None:
    """Where new machines go from now on."""
    found = stage.vcenter.collect(vim.Datastore, "name")
    moid = next(moid for moid, values in found.items() if values["name"] == name)
    Placement.objects.filter(pool__cluster=stage.cluster).update(datastore_moid=moid, datastore_name=name)


def test_two_addresses_and_the_spare_one_must_be_free(
    stage: Stage, gateway: PrivateCloudGateway, admin: User
) -> None:
    """One node and the virtual IP are held: with two more free there is none left for an upgrade."""
    stage.pool.end = "10.10.183.23"
    stage.pool.save()

    with pytest.raises(NoRoom, match="2 for nodes and 1 extra"):
        resize(stage, gateway, admin)

    stage.pool.end = "10.10.183.24"
    stage.pool.save()
    resize(stage, gateway, admin)
    finish(stage)


def test_vcenter_that_does_not_answer_is_said(
    stage: Stage, gateway: PrivateCloudGateway, admin: User
) -> None:
    with stage.outage(), pytest.raises(NoRoom):
        resize(stage, gateway, admin)

    assert sizes(gateway) == (1, 1)


def test_three_nodes_cannot_become_one(stage: Stage, gateway: PrivateCloudGateway, admin: User) -> None:
    resize(stage, gateway, admin)
    finish(stage)

    for size in (1, 3):
        with pytest.raises(Conflict, match="cannot become one"):
            resize_gateway(gateway=sized(gateway), by=admin, size=size)
    with pytest.raises(IntegrityError, match="gateway_does_not_shrink"), transaction.atomic():
        PrivateCloudGateway.objects.filter(pk=gateway.pk).update(size=1)
    assert sizes(gateway) == (3, 3)


def sized(gateway: PrivateCloudGateway) -> PrivateCloudGateway:
    gateway.refresh_from_db()
    return gateway


def test_second_resize_at_the_same_time_is_refused(
    stage: Stage, gateway: PrivateCloudGateway, admin: User
) -> None:
    resize(stage, gateway, admin)

    with pytest.raises(Conflict, match="resize"):
        resize_gateway(gateway=gateway, by=admin)

    assert Machine.objects.filter(cluster=stage.cluster).count() == 3


def test_resize_that_fails_half_way_goes_on_after_a_restart(
    stage: Stage, gateway: PrivateCloudGateway, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    resize(stage, gateway, admin)
    third = Machine.objects.get(cluster=stage.cluster, index=3)
    stage.lab.fail("CloneVM_Task", "InsufficientStorageSpace", at="task", name=third.name)
    stage.go_on_until(lambda: stage.step(f"{third.name}/cloned").state == StepState.RETRYING)
    assert sizes(gateway) == (1, 3)

    with steps_run_as(monkeypatch, dying_first_at("keep_reference", monkeypatch)):
        finish(stage)

    assert sizes(gateway) == (3, 3)
    assert stage.guests.members == set(names(machines_of(stage)))


@pytest.mark.parametrize("word", ["cloned", "powered-on", "address"])
def test_gateway_is_deleted_in_the_middle_of_a_resize(
    stage: Stage, gateway: PrivateCloudGateway, admin: User, word: str
) -> None:
    stage.lab.set_durations(clone_seconds=0.5)
    resize(stage, gateway, admin)
    second = Machine.objects.get(cluster=stage.cluster, index=2)
    stage.guests.silent = {second.name}
    stage.go_on_until(lambda: stage.step(f"{second.name}/{word}").attempt > 0)

    delete_gateway(gateway=gateway, by=admin)
    removal.follow_latest(stage)
    removal.finish(stage)

    removal.assert_nothing_left(stage)
    assert not NodeInstruction.objects.exists()
    gateway.refresh_from_db()
    assert gateway.state == GatewayState.DELETED


def test_running_gateway_is_not_reset_while_it_is_resized(
    stage: Stage, gateway: PrivateCloudGateway, admin: User
) -> None:
    resize(stage, gateway, admin)

    with pytest.raises(Conflict, match="running"):
        reset_gateway(gateway=gateway, by=admin)


def test_gateway_in_error_is_reset_in_the_middle_of_a_resize(
    stage: Stage, gateway: PrivateCloudGateway, admin: User
) -> None:
    resize(stage, gateway, admin)
    stage.go_on_until(lambda: stage.machine_step("powered-on", index=2).state == StepState.DONE)
    PrivateCloudGateway.objects.filter(pk=gateway.pk).update(state=GatewayState.ERROR)

    reset_gateway(gateway=gateway, by=admin)
    removal.follow_latest(stage)
    removal.finish(stage)

    removal.assert_nothing_left(stage)
    gateway.refresh_from_db()
    assert gateway.state == GatewayState.PENDING
    assert not IPAddressClaim.objects.held().exists()
    assert stage.cluster.state == ClusterState.DELETED
