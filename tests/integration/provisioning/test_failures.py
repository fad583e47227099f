"""What goes wrong on the way, and that it goes on from there: no VM twice, no address lost."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from clusters.states import ClusterState
from ippools.actions import release_addresses
from ippools.models import IPAddressClaim
from palette_portal.orchestration.engine import run_step
from palette_portal.orchestration.models import OperationState, StepState
from palette_portal.orchestration.outcomes import Retry
from tests.integration.provisioning.stage import TEMPLATE, Stage


def finish(stage: Stage) -> None:
    stage.finish()
    assert stage.operation.state == OperationState.SUCCEEDED
    assert stage.cluster.state == ClusterState.RUNNING
    stage.assert_nothing_doubled_or_leaked()


def is_retried(stage: Stage, key: str, retry: Retry) -> bool:
    """The pause before the next attempt is that of the kind of failure."""
    step = stage.step(key)
    first, longest = retry.value
    pause = (step.due_at - timezone.now()).total_seconds()
    return step.state == StepState.RETRYING and first - 5 < pause <= longest


def run_until_stuck(stage: Stage, key: str) -> None:
    """Do the step once, and leave the pause after it as the engine set it."""
    stage.go_on_until(lambda: stage.step(key).state == StepState.READY)
    run_step(stage.step(key).pk)


def test_wrong_password_is_named_and_the_corrected_one_goes_on(stage: Stage) -> None:
    right = stage.account.password
    stage.account.password = "changed meanwhile"
    stage.account.save()
    stage.start()

    run_until_stuck(stage, "account-valid")

    step = stage.step("account-valid")
    assert step.reason == "LoginRefused"
    assert "user name or password" in step.message and "cloud account" in step.hint
    assert is_retried(stage, "account-valid", Retry.SLOWLY)
    stage.account.password = right
    stage.account.save()
    finish(stage)


def test_password_changed_in_vcenter_between_two_steps(stage: Stage) -> None:
    from palette_portal.vsphere.session import sessions

    stage.start()
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.DONE)
    sessions.close_all()
    stage.lab.change_password("new-Passw0rd")

    stage.go_on_until(lambda: stage.machine_step("configured").reason == "LoginRefused")

    stage.account.password = "new-Passw0rd"
    stage.account.save()
    finish(stage)


@pytest.mark.parametrize("word", ["cloned", "configured", "powered-on", "address"])
def test_vcenter_is_down_for_a_while_midway(stage: Stage, word: str) -> None:
    stage.start()
    stage.guests.silent = {stage.machine().name}
    stage.go_on_until(lambda: stage.machine_step(word).state == StepState.READY)
    with stage.outage():
        stage.go_on_until(lambda: stage.machine_step(word).reason == "Unreachable")

        assert "127.0.0.1" in stage.machine_step(word).message
    stage.guests.silent = set()
    finish(stage)


def test_template_is_missing_and_comes_later(stage: Stage) -> None:
    template = stage.vcenter.machine(TEMPLATE)
    stage.vcenter.rename(template, "elsewhere")
    try:
        stage.start()
        run_until_stuck(stage, "image-found")
        step = stage.step("image-found")
    finally:
        stage.vcenter.rename(template, TEMPLATE)

    assert step.reason == "TemplateNotFound"
    assert TEMPLATE in step.message and step.hint
    assert is_retried(stage, "image-found", Retry.SLOWLY)
    finish(stage)


def test_pool_is_exhausted_by_others_and_freed_later(stage: Stage) -> None:
    taken = [str(address) for address in stage.pool.addresses]
    stage.start(nodes=3)
    others = IPAddressClaim.objects.bulk_create(
        IPAddressClaim(
            pool=stage.pool,
            address=address,
            cluster_id=stage.gateway.id,
            owner_kind="machine",
            owner_id=owner_id,
            owner_name="other",
            purpose="node",
        )
        for address, owner_id in zip(taken[1:], _uuids(), strict=False)
    )

    run_until_stuck(stage, "addresses-claimed")

    step = stage.step("addresses-claimed")
    assert (step.state, step.reason) == (StepState.WAITING, "PoolExhausted")
    assert stage.pool.name in step.message and step.due_at > timezone.now()
    assert stage.vms_of_ours() == []
    assert not IPAddressClaim.objects.held().filter(cluster_id=stage.cluster.id).exists()
    assert len(others) == release_addresses(cluster_id=stage.gateway.id)
    step.refresh_from_db()
    assert step.due_at <= timezone.now()
    finish(stage)
    assert len(stage.events("PoolExhausted")) == 1


def _uuids():
    from uuid import uuid4

    while True:
        yield uuid4()


def test_name_is_taken_by_a_foreign_machine_which_is_never_touched(stage: Stage) -> None:
    stage.start()
    foreign = stage.vcenter.create_machine(stage.machine().name, power_on=True)
    uuid = foreign.config.instanceUuid

    run_until_stuck(stage, "placement-valid")

    step = stage.step("placement-valid")
    assert step.reason == "NameTaken" and stage.machine().name in step.message
    assert is_retried(stage, "placement-valid", Retry.SLOWLY)
    assert (foreign.config.instanceUuid, foreign.runtime.powerState) == (uuid, "poweredOn")
    stage.vcenter.rename(foreign, "moved away")
    finish(stage)


def test_name_is_taken_just_before_the_clone(stage: Stage) -> None:
    stage.start()
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.READY)
    foreign = stage.vcenter.create_machine(stage.machine().name)

    run_step(stage.machine_step("cloned").pk)

    assert stage.machine_step("cloned").reason == "NameTaken"
    stage.vcenter.rename(foreign, "moved away")
    finish(stage)


def test_datastore_is_full_when_the_clone_is_made(stage: Stage) -> None:
    stage.lab.fill_datastore("shared-nfs-1", times=2)
    stage.start()

    stage.go_on_until(lambda: stage.machine_step("cloned").reason == "DatastoreFull")

    step = stage.machine_step("cloned")
    assert "shared-nfs-1" in step.message and step.hint
    assert stage.vms_of_ours() == []
    finish(stage)


def test_datastore_has_too_little_room_before_anything_is_made(stage: Stage) -> None:
    scratch = next(moid for moid, name in _datastores(stage).items() if name == "cluster-1-scratch")
    stage.start(placement_datastore=(scratch, "cluster-1-scratch"))

    run_until_stuck(stage, "placement-valid")

    step = stage.step("placement-valid")
    assert step.reason == "DatastoreFull"
    assert "cluster-1-scratch has 18 GB free; 60 GB are needed" in step.message


def _datastores(stage: Stage) -> dict[str, str]:
    from pyVmomi import vim

    found = stage.vcenter.collect(vim.Datastore, "name")
    return {datastore._GetMoId(): values["name"] for datastore, values in found.items()}


@pytest.mark.parametrize(
    ("method", "privilege", "word"),
    [
        ("CloneVM_Task", "VirtualMachine.Provisioning.DeployTemplate", "cloned"),
        ("ReconfigVM_Task", "VirtualMachine.Config.AdvancedConfig", "configured"),
        ("PowerOnVM_Task", "VirtualMachine.Interact.PowerOn", "powered-on"),
    ],
)
def test_missing_permission_names_privilege_and_object(
    stage: Stage, method: str, privilege: str, word: str
) -> None:
    stage.lab.deny(method, privilege, stage.folder[0], "Folder")
    stage.start()

    stage.go_on_until(lambda: stage.machine_step(word).reason == "NoPermission")

    step = stage.machine_step(word)
    assert privilege in step.message and "palette-gateways" in step.message
    assert privilege in step.hint
    stage.heal()
    finish(stage)


def test_guest_never_gets_an_address_is_said_and_waited_for(stage: Stage) -> None:
    stage.start()
    stage.guests.silent = {stage.machine().name}
    stage.go_on_until(lambda: stage.machine_step("address").reason == "WaitingForAddress")

    _pretend_that_it_began(stage, timedelta(minutes=6))
    stage.go_on_until(lambda: stage.machine_step("address").reason == "SlowGuest")

    step = stage.machine_step("address")
    assert "taking longer than usual" in step.message and "console" in step.message
    assert step.state == StepState.WAITING
    stage.go_on_until(_polled_again(stage))
    assert len(stage.events("SlowGuest")) == 1
    stage.guests.silent = set()
    finish(stage)


def _pretend_that_it_began(stage: Stage, ago: timedelta) -> None:
    steps = stage.operation.steps.filter(pk=stage.machine_step("address").pk)
    steps.update(first_started_at=timezone.now() - ago)


def _polled_again(stage: Stage) -> Callable[[], bool]:
    token = stage.machine_step("address").token
    return lambda: stage.machine_step("address").token > token


def test_node_that_cannot_set_itself_up_tells_why(stage: Stage) -> None:
    stage.start()
    stage.guests.failing = {stage.machine().name}

    stage.go_on_until(lambda: stage.machine_step("in-cluster").reason == "NodeBootstrapFailed")

    step = stage.machine_step("in-cluster")
    assert "the API server is not healthy" in step.message
    assert "/var/log/palette-bootstrap.log" in step.hint
    stage.guests.failing = set()
    stage.guests.done.clear()
    finish(stage)


def test_machine_removed_in_vcenter_is_missed(stage: Stage) -> None:
    stage.start()
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.DONE)
    stage.vcenter.remove([stage.machine().moid])

    stage.go_on_until(lambda: stage.machine_step("configured").reason == "NotFound")

    assert "is not in vCenter any more" in stage.machine_step("configured").message


def test_reply_to_the_clone_is_lost_while_it_runs(stage: Stage) -> None:
    stage.lab.set_durations(clone_seconds=1)
    stage.lab.lose_reply("CloneVM_Task")
    stage.start()

    finish(stage)

    assert stage.lab.calls()["CloneVM_Task"] >= 1
    assert len(stage.events("MachineCloned")) == 1


def test_reply_to_the_clone_is_lost_after_it_was_made(stage: Stage) -> None:
    stage.lab.lose_reply("CloneVM_Task", after_work=True)
    stage.start()

    finish(stage)


@pytest.mark.parametrize("method", ["ReconfigVM_Task", "PowerOnVM_Task"])
def test_reply_to_another_write_is_lost(stage: Stage, method: str) -> None:
    stage.lab.lose_reply(method)
    stage.start()

    finish(stage)


def test_session_expires_midway(stage: Stage) -> None:
    stage.start()
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.DONE)

    stage.lab.expire_sessions()
    stage.heal()
    finish(stage)
