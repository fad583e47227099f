"""Machines with our marks and without an owner: found, reviewed, removed; nobody else's is ever touched."""

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from pyVmomi import vim

from clusters.actions.orphans import remove_orphans
from clusters.models import Cluster, Leftover, LeftoverKind, Machine
from clusters.orphans import find_orphans
from clusters.states import ClusterState, MachineState
from gateways.account_live import AccountChannel
from ippools.models import IPAddressClaim
from palette_portal.http import Conflict
from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.models import Event, Operation, OperationKind, OperationState
from palette_portal.tenants.models import AuditRow, User
from palette_portal.tenants.permissions import Denied
from palette_portal.tenants.roles import Role
from tests.engine import run_to_end
from tests.factories import amelia, bao, carla, make_tenant, make_user
from tests.integration.provisioning.stage import Stage
from tests.integration.removal.tenant import run
from tests.integration.vsphere.test_machines import attach_volume


@pytest.fixture
def admin(db: None) -> User:
    return amelia()


def forget(stage: Stage) -> Machine:
    """As a forced deletion leaves it: the machine runs, its address is kept, nobody owns it."""
    run(stage)
    machine = stage.machine()
    Leftover.objects.create(
        cluster=stage.cluster, kind=LeftoverKind.MACHINE, name=machine.name, instance_uuid=machine.pk
    )
    Machine.objects.update(state=MachineState.DELETED)
    Cluster.objects.update(state=ClusterState.DELETED, deleted_at=machine.created_at)
    return machine


def moid(stage: Stage, name: str) -> str:
    found: str = stage.vcenter.machine(name)._GetMoId()
    return found


def mark(stage: Stage, name: str, *, machine: str, instance_uuid: str = "") -> None:
    """A machine of somebody with marks like ours."""
    vm = stage.vcenter.create_machine(name)
    options = {"palette.cluster": str(uuid4()), "palette.machine": machine}
    stage.vcenter.set_options(vm, options)
    spec = vim.vm.ConfigSpec(
        annotation="Node of the Kubernetes cluster x, made by Palette Portal.",
        instanceUuid=instance_uuid or None,
    )
    stage.vcenter.wait(vm.ReconfigVM_Task(spec))


def found(stage: Stage) -> dict[str, str]:
    return {orphan.vm.name: orphan.kind for orphan in find_orphans(stage.account)}


def remove(stage: Stage, by: User, *names: str) -> Operation:
    operation = remove_orphans(account=stage.account, moids=[moid(stage, name) for name in names], by=by)
    return run_to_end(operation)


def test_machine_of_a_deleted_cluster_is_found_and_removed(stage: Stage, admin: User) -> None:
    machine = forget(stage)
    (orphan,) = find_orphans(stage.account)
    assert (orphan.kind, orphan.cluster_name, orphan.vm.power_state) == ("left", "shop", "poweredOn")
    assert orphan.vm.path == "dc-1/vm/palette-gateways/shop-cp-1"

    operation = remove(stage, admin, "shop-cp-1")

    assert operation.state == OperationState.SUCCEEDED
    assert operation.kind == OperationKind.CLEAN_UP
    assert stage.vms_of_ours() == []
    assert not IPAddressClaim.objects.held().filter(owner_id=machine.pk).exists()
    assert Leftover.objects.get().gone_at is not None
    assert find_orphans(stage.account) == []
    assert Event.objects.of(stage.account.subject).filter(reason="OrphanRemoved").exists()
    row = AuditRow.objects.get(action="remove-orphans")
    assert row.user == admin and "palette-gateways/shop-cp-1" in row.detail["machines"][0]


def test_machines_that_have_an_owner_are_no_orphans(stage: Stage, admin: User) -> None:
    run(stage, workers=1)

    assert found(stage) == {}
    with pytest.raises(Conflict, match="Look at the list again"):
        remove_orphans(account=stage.account, moids=[moid(stage, "shop-cp-1")], by=admin)
    assert not Operation.objects.filter(kind=OperationKind.CLEAN_UP).exists()


def test_machines_without_our_marks_are_never_touched(stage: Stage, admin: User) -> None:
    forget(stage)
    stage.vcenter.create_machine("payroll")

    assert found(stage) == {"shop-cp-1": "left"}
    with pytest.raises(Conflict):
        remove_orphans(account=stage.account, moids=[moid(stage, "payroll")], by=admin)


def test_copy_of_a_node_is_shown_and_left_alone(stage: Stage, admin: User) -> None:
    machine = forget(stage)
    mark(stage, "shop-copy", machine=str(machine.pk), instance_uuid=str(uuid4()))

    assert found(stage) == {"shop-copy": "copy", "shop-cp-1": "left"}
    with pytest.raises(Conflict):
        remove_orphans(account=stage.account, moids=[moid(stage, "shop-copy")], by=admin)


def test_machine_that_this_portal_does_not_know_is_told_apart(stage: Stage, admin: User) -> None:
    stranger = str(uuid4())
    mark(stage, "other-cp-1", machine=stranger, instance_uuid=stranger)

    (orphan,) = find_orphans(stage.account)

    assert orphan.kind == "unknown" and "another portal" in orphan.sentence
    assert remove(stage, admin, "other-cp-1").state == OperationState.SUCCEEDED
    assert "other-cp-1" not in stage.vcenter.machines()


def test_machines_of_another_tenant_are_not_told(stage: Stage) -> None:
    forget(stage)
    Cluster.objects.update(tenant=make_tenant("Borealis"))

    assert found(stage) == {}


def test_machine_without_its_annotation_is_found_by_its_uuid(stage: Stage) -> None:
    forget(stage)
    vm = stage.vcenter.machine("shop-cp-1")
    stage.vcenter.wait(vm.ReconfigVM_Task(vim.vm.ConfigSpec(annotation="Please do not touch.")))

    assert found(stage) == {"shop-cp-1": "left"}


def test_machine_that_lost_its_marks_meanwhile_is_left_alone(stage: Stage, admin: User) -> None:
    forget(stage)
    operation = remove_orphans(account=stage.account, moids=[moid(stage, "shop-cp-1")], by=admin)
    stage.vcenter.set_options(stage.vcenter.machine("shop-cp-1"), {"palette.machine": ""})

    run_to_end(operation)

    assert "shop-cp-1" in stage.vcenter.machines()
    assert "left alone" in operation.steps.get().message


def test_machine_that_got_an_owner_meanwhile_is_left_alone(stage: Stage, admin: User) -> None:
    forget(stage)
    operation = remove_orphans(account=stage.account, moids=[moid(stage, "shop-cp-1")], by=admin)
    Machine.objects.update(state=MachineState.RUNNING)
    Cluster.objects.update(state=ClusterState.RUNNING, deleted_at=None)

    run_to_end(operation)

    assert "shop-cp-1" in stage.vcenter.machines()


def test_volume_of_an_orphan_is_detached(stage: Stage, admin: User) -> None:
    forget(stage)
    attach_volume(stage.vcenter, "shop-cp-1", volume="of-an-orphan")
    stage.lab.forget_calls()

    remove(stage, admin, "shop-cp-1")

    assert stage.lab.calls()["ReconfigVM_Task"] == 1
    assert stage.vms_of_ours() == []


def test_removal_goes_on_when_vcenter_was_away(stage: Stage, admin: User) -> None:
    forget(stage)
    operation = remove_orphans(account=stage.account, moids=[moid(stage, "shop-cp-1")], by=admin)
    with stage.outage():
        run_to_end(operation, rounds=1)
        assert operation.steps.get().reason == "Unreachable"

    run_to_end(operation)

    assert stage.vms_of_ours() == []


@pytest.mark.django_db
def test_removal_is_for_those_who_manage_the_account(stage: Stage) -> None:
    for person in (bao(), make_user("sam", Role.SUPPORT)):
        with pytest.raises(Denied):
            remove_orphans(account=stage.account, moids=["vm-1"], by=person)


def url(stage: Stage) -> str:
    return reverse("accounts:orphans", args=[stage.account.pk])


def test_page_lists_orphans_and_removes_the_chosen_ones(stage: Stage, client: Client, admin: User) -> None:
    forget(stage)
    client.force_login(admin)
    chosen = {"vm": [moid(stage, "shop-cp-1")]}

    page = client.get(url(stage)).content.decode()
    without_name = client.post(url(stage), chosen)
    nothing = client.post(url(stage), {"name": stage.account.name})
    response = client.post(url(stage), {**chosen, "name": stage.account.name}, follow=True)

    assert "Left by the deleted cluster shop." in page and "Kept back: shop-cp-1 still exists" in page
    assert "Its machine was not found" not in page, "the virtual IP is used as well"
    assert (
        without_name.status_code == 422
        and "not the name of the cloud account" in without_name.content.decode()
    )
    assert nothing.status_code == 422 and "Choose the machines" in nothing.content.decode()
    assert "1 machine is being removed." in response.content.decode()
    assert Operation.objects.get(kind=OperationKind.CLEAN_UP).is_active


def test_page_without_vcenter_still_shows_addresses(stage: Stage, client: Client, admin: User) -> None:
    forget(stage)
    client.force_login(admin)

    with stage.outage():
        page = client.get(url(stage)).content.decode()

    assert "Not known: vCenter was not asked" in page and "Its machine was not found" not in page


def test_page_for_support_only_looks(stage: Stage, client: Client) -> None:
    forget(stage)
    client.force_login(make_user("sam", Role.SUPPORT))

    page = client.get(url(stage)).content.decode()
    refused = client.post(url(stage), {"vm": [moid(stage, "shop-cp-1")], "name": stage.account.name})

    assert "shop-cp-1" in page and 'type="checkbox"' not in page
    assert refused.status_code == 403


def test_page_is_not_for_editors_and_strangers(stage: Stage, client: Client) -> None:
    client.force_login(bao())
    assert client.get(url(stage)).status_code == 403
    client.force_login(carla())
    assert client.get(url(stage)).status_code == 404
    assert client.put(url(stage)).status_code == 405


def test_open_page_follows_the_removal(stage: Stage, admin: User) -> None:
    forget(stage)
    query = {"only": str(stage.account.pk), "orphans": "1"}
    subscription = AccountChannel().open(admin, {}, query)
    assert subscription

    remove(stage, admin, "shop-cp-1")
    change = Change(stage.account.tenant_id, "cloud-account", stage.account.pk, step_id=uuid4())
    (message,) = subscription.changed(change)

    assert 'id="orphan-progress" hx-swap-oob="true"' in message.html
    assert "shop-cp-1 is removed from vCenter." in message.html


def test_finding_takes_few_questions(stage: Stage) -> None:
    run(stage, workers=2)
    find_orphans(stage.account)
    stage.lab.forget_calls()

    find_orphans(stage.account)

    assert sum(stage.lab.calls().values()) <= 3
