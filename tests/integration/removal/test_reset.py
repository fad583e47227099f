"""Reset at any moment of a provisioning: nothing of ours stays, and the wizard opens again."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.utils import timezone

from clusters.plan import CLUSTER_RUNNING
from gateways.actions.reset import reset_gateway
from gateways.models import CloudAccount, ConfigureDraft
from gateways.states import GatewayState
from ippools.models import IPAddressClaim
from palette_portal.http import Conflict
from palette_portal.orchestration.models import Event, OperationState, StepState
from palette_portal.orchestration.outcomes import Outcome
from palette_portal.orchestration.steps import StepContext
from palette_portal.tenants.models import AuditRow
from tests.factories import amelia, make_cluster, make_project
from tests.integration.provisioning.stage import Stage
from tests.integration.provisioning.test_repeated import steps_run_as
from tests.integration.removal.scene import (
    StepFunction,
    all_machines,
    assert_nothing_left,
    finish,
    follow_latest,
    provision,
)

CLUSTER_STEPS = ["account-valid", "placement-valid", "addresses-claimed", "image-found", "pki-generated"]
MACHINE_STEPS = ["cloned", "configured", "powered-on", "address", "in-cluster", "blanked"]
LAST_STEPS = ["nodes-ready", "gateway-health-registered", "gateway-running"]
STEPS = [*CLUSTER_STEPS, *(f"-cp-1/{word}" for word in MACHINE_STEPS), *LAST_STEPS]


def reset(stage: Stage) -> None:
    reset_gateway(gateway=stage.gateway, by=amelia())
    follow_latest(stage)


def finish_reset(stage: Stage) -> None:
    finish(stage)
    assert_nothing_left(stage)
    stage.gateway.refresh_from_db()
    assert stage.gateway.state == GatewayState.PENDING
    assert stage.gateway.is_registered


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("key", STEPS)
def test_reset_while_a_worker_does_the_step(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, key: str, moment: str
) -> None:
    """The worker does not hear of it: it goes on to write to vCenter, or has just written."""
    machines = all_machines(stage)
    provision(stage)
    interrupted = []

    def reset_now() -> None:
        interrupted.append(key)
        # Secrets may be removed when the gateway runs already: then only one in Error can be reset.
        running = type(stage.gateway).objects.filter(pk=stage.gateway.pk, state=GatewayState.RUNNING)
        running.update(state=GatewayState.ERROR)
        reset(stage)

    def interrupt(function: StepFunction, context: StepContext) -> Outcome:
        is_target = context.key.endswith(key) and not interrupted
        if is_target and moment == "before":
            reset_now()
        outcome = function(context)
        if is_target and moment == "after":
            reset_now()
        return outcome

    with steps_run_as(monkeypatch, interrupt):
        stage.go_on_until(lambda: interrupted)
        finish_reset(stage)

    assert all_machines(stage) == machines


def test_reset_waits_for_a_step_that_a_worker_still_does(stage: Stage) -> None:
    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.DONE)
    held = stage.operation.steps.filter(key=stage.machine_step("configured").key)
    held.update(state=StepState.RUNNING, due_at=None, lease_until=timezone.now() + timedelta(minutes=1))

    reset(stage)
    stage.go_on_until(lambda: stage.step("earlier-steps-ended").reason == "WaitingForSteps")

    assert "Configure virtual machine" in stage.step("earlier-steps-ended").message
    assert len(stage.vms_of_ours()) == 1
    held.update(lease_until=timezone.now() - timedelta(seconds=1))
    finish_reset(stage)


def test_reset_cancels_a_clone_that_runs(stage: Stage) -> None:
    stage.lab.set_durations(clone_seconds=60)
    provision(stage, nodes=3)
    stage.go_on_until(
        lambda: stage.operation.steps.filter(external_ref__startswith="vsphere-task").count() == 3
    )

    reset(stage)
    finish_reset(stage)

    assert stage.lab.calls()["CancelTask"] >= 3


@pytest.mark.parametrize("after_work", [False, True])
def test_reset_finds_a_clone_whose_reply_was_lost(stage: Stage, after_work: bool) -> None:
    stage.lab.set_durations(clone_seconds=0 if after_work else 2)
    stage.lab.lose_reply("CloneVM_Task", after_work=after_work)
    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.RETRYING)

    reset(stage)
    finish_reset(stage)


def test_reset_of_a_finished_but_not_running_gateway(stage: Stage) -> None:
    """In Error: it was in service once and nobody uses it."""
    provision(stage, nodes=3)
    stage.finish()
    stage.gateway.refresh_from_db()
    type(stage.gateway).objects.filter(pk=stage.gateway.pk).update(state=GatewayState.ERROR, error="lost")

    reset(stage)
    finish_reset(stage)

    assert stage.gateway.error == ""


def test_reset_before_anything_was_made_needs_no_vcenter(stage: Stage) -> None:
    stage.account.password = "wrong"
    stage.account.save()
    provision(stage)
    stage.go_on_until(lambda: stage.step("account-valid").reason == "LoginRefused")
    stage.lab.forget_calls()

    reset(stage)
    finish_reset(stage)

    assert "Login" not in stage.lab.calls()


def test_reset_twice_is_refused_while_it_runs(stage: Stage) -> None:
    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.DONE)
    reset(stage)
    first = stage.operation

    with pytest.raises(Conflict, match="being reset already"):
        reset_gateway(gateway=stage.gateway, by=AuditRow.objects.get(action="reset").user)

    assert follow_latest(stage) == first
    finish_reset(stage)
    with pytest.raises(Conflict, match="nothing to reset"):
        reset_gateway(gateway=stage.gateway, by=AuditRow.objects.get(action="reset").user)


def test_reset_configure_reset_again(stage: Stage) -> None:
    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.DONE)
    reset(stage)
    finish_reset(stage)
    stage.account.save()
    stage.guests.done.clear()

    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("powered-on").state == StepState.DONE)
    reset_gateway(gateway=stage.gateway, by=AuditRow.objects.get(action="reset").user)
    follow_latest(stage)
    finish_reset(stage)


def test_reset_never_touches_a_foreign_machine_of_the_same_name(stage: Stage) -> None:
    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.READY)
    foreign = stage.vcenter.create_machine(stage.machine().name, power_on=True)
    stage.go_on_until(lambda: stage.machine_step("cloned").reason == "NameTaken")

    reset(stage)
    finish(stage)

    assert foreign.runtime.powerState == "poweredOn"
    stage.vcenter.rename(foreign, "somebody's")
    assert_nothing_left(stage)


def test_reset_leaves_a_copy_that_somebody_made_and_says_so(stage: Stage) -> None:
    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("configured").state == StepState.DONE)
    copy = stage.vcenter.wait(
        stage.vcenter.clone(stage.machine().name, "copy-to-look-at", folder="palette-gateways")
    )

    reset(stage)
    finish(stage)

    assert "copy-to-look-at" in stage.events("CopyLeft")[0].message
    assert copy.name == "copy-to-look-at"
    assert [name for name, _ in stage.vms_of_ours()] == ["copy-to-look-at"]


def test_reset_finds_a_machine_that_was_moved_and_renamed(stage: Stage) -> None:
    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("configured").state == StepState.DONE)
    stage.vcenter.rename(stage.vcenter.machine(stage.machine().name), "renamed")

    reset(stage)
    finish_reset(stage)

    assert "renamed" not in all_machines(stage)


def test_reset_goes_on_after_vcenter_was_away(stage: Stage) -> None:
    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("powered-on").state == StepState.DONE)
    reset(stage)
    with stage.outage():
        stage.go_on_until(lambda: stage.machine_step("powered-off").reason == "Unreachable")
        assert stage.events("MachineDeleted") == []
    finish_reset(stage)


def test_reset_address_is_freed_only_when_the_machine_was_gone_twice(stage: Stage) -> None:
    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.DONE)
    reset(stage)

    stage.go_on_until(lambda: stage.machine_step("gone").reason == "GoneOnce")

    assert stage.vms_of_ours() == []
    assert IPAddressClaim.objects.held().count() == 2
    finish_reset(stage)


def test_reset_is_in_the_log_and_the_audit(stage: Stage) -> None:
    provision(stage)
    stage.go_on_until(lambda: stage.machine_step("cloned").state == StepState.DONE)

    reset(stage)
    finish_reset(stage)

    told = Event.objects.of(stage.cluster.subject).values_list("reason", flat=True)
    assert [*told].count("OperationCancelled") == 1
    for reason in ("MachineDeleted", "ClusterDeleted", "GatewayReset"):
        assert [*told].count(reason) == 1, reason
    row = AuditRow.objects.get(action="reset")
    assert (row.object_id, row.detail["cluster"]) == (str(stage.gateway.pk), str(stage.cluster.pk))


def test_reset_leaves_no_password(stage: Stage) -> None:
    CloudAccount.objects.filter(pk=stage.account.pk).update(is_default=True)
    pages = {"vcenter": {"values": {"server": "v"}, "open": ""}, "addresses": {"values": {"pool": "new"}}}
    ConfigureDraft.objects.create(gateway=stage.gateway, pages=pages, password="typed")
    provision(stage)

    reset(stage)
    finish_reset(stage)

    draft = ConfigureDraft.objects.get(gateway=stage.gateway)
    assert CloudAccount.objects.get(pk=stage.account.pk).password == draft.password == ""
    assert draft.pages["vcenter"]["values"] == {"server": "v"}
    assert "Enter the password" in draft.pages["vcenter"]["open"]
    assert draft.pages["addresses"]["values"]["pool"] == str(stage.pool.pk)


@pytest.mark.parametrize("state", [GatewayState.PENDING, GatewayState.RUNNING, GatewayState.DELETING])
def test_reset_is_refused_with_a_reason_in_other_states(stage: Stage, state: GatewayState) -> None:
    provision(stage)
    type(stage.gateway).objects.filter(pk=stage.gateway.pk).update(state=state)

    with pytest.raises(Conflict) as refused:
        reset_gateway(gateway=stage.gateway, by=amelia())

    assert refused.value.reason
    stage.operation.refresh_from_db()
    assert stage.operation.state == OperationState.RUNNING
    assert not AuditRow.objects.exists()


def test_reset_of_a_gateway_in_error_that_clusters_use_is_refused(stage: Stage) -> None:
    type(stage.gateway).objects.filter(pk=stage.gateway.pk).update(state=GatewayState.ERROR)
    make_cluster(stage.gateway, name="shop", project=make_project(stage.gateway.tenant))

    with pytest.raises(Conflict, match="shop"):
        reset_gateway(gateway=stage.gateway, by=amelia())


def test_reset_of_a_gateway_in_error_without_a_cluster_opens_it_at_once(stage: Stage) -> None:
    type(stage.gateway).objects.filter(pk=stage.gateway.pk).update(state=GatewayState.ERROR, error="late")

    assert reset_gateway(gateway=stage.gateway, by=amelia()) is None

    stage.gateway.refresh_from_db()
    assert (stage.gateway.state, stage.gateway.error) == (GatewayState.PENDING, "")


def test_reset_after_the_last_step_began_does_not_let_the_gateway_run(stage: Stage) -> None:
    """The step that would finish the cluster comes too late."""
    provision(stage)
    stage.go_on_until(lambda: stage.step(CLUSTER_RUNNING).state == StepState.READY)
    with suppress(Conflict):
        reset(stage)

    stage.gateway.refresh_from_db()
    assert stage.gateway.state == GatewayState.RUNNING
