"""An upgrade that fails goes on by itself, or is taken back; once the control plane has moved it is not."""

import pytest

from clusters.models import Machine, NodeInstruction
from clusters.states import MachineState
from gateways.actions.replacement import nodes_for
from gateways.actions.upgrade import check_roll_back, roll_back_gateway
from gateways.models import GatewayRelease, PrivateCloudGateway
from gateways.steps import ensure_replacement_planned
from palette_portal.http import Conflict
from palette_portal.orchestration.models import OperationKind, OperationState, StepState
from palette_portal.orchestration.outcomes import Done
from palette_portal.orchestration.steps import StepContext
from palette_portal.tenants.models import AuditRow, User
from tests.factories import amelia
from tests.integration.provisioning.stage import Stage
from tests.integration.upgrades.scene import (
    NEW_IMAGE,
    OLD_IMAGE,
    finish,
    images,
    roll_back,
    run_gateway,
    upgrade,
)


@pytest.fixture
def admin(stage: Stage) -> User:
    return amelia()


def upgraded_until(stage: Stage, admin: User, *, name: str, nodes: int = 3, **newer: str) -> GatewayRelease:
    """An upgrade that does not get past the node called so: it never comes up."""
    release = run_gateway(stage, nodes=nodes, **newer)
    stage.guests.failing = {f"{stage.cluster.name}-{name}"}
    upgrade(stage, admin)
    key = f"{stage.cluster.name}-{name}/in-cluster"
    stage.go_on_until(lambda: stage.operation.steps.get(key=key).reason == "NodeBootstrapFailed")
    return release


def test_failure_in_the_middle_goes_back_to_the_old_release(stage: Stage, admin: User) -> None:
    upgraded_until(stage, admin, name="cp-5")
    name = stage.cluster.name
    stage.guests.log.clear()

    roll_back(stage, admin)
    fewest_ready = finish(stage)

    assert fewest_ready >= 2
    assert images(stage) == [OLD_IMAGE] * 3
    assert stage.guests.log == ["version v1.31.2", f"{name}-cp-7 in", f"{name}-cp-4 out"]
    assert stage.guests.members == {f"{name}-cp-2", f"{name}-cp-3", f"{name}-cp-7"}
    assert (stage.gateway.release.version, stage.gateway.upgrading_to) == ("1.0.0", None)
    assert (stage.cluster.kubernetes_version, stage.cluster.image_template) == ("1.31.2", OLD_IMAGE)
    (event,) = stage.events("GatewayRolledBack")
    assert "is back at release 1.0.0" in event.message


def test_failure_at_the_first_node_leaves_the_old_ones_alone(stage: Stage, admin: User) -> None:
    upgraded_until(stage, admin, name="cp-4")
    stage.guests.log.clear()
    old = set(Machine.objects.filter(cluster=stage.cluster, index__lte=3).values_list("pk", flat=True))

    roll_back(stage, admin)
    finish(stage)

    assert stage.guests.log == ["version v1.31.2"]
    assert set(Machine.objects.present().filter(cluster=stage.cluster).values_list("pk", flat=True)) == old


def test_roll_back_is_an_operation_of_its_own_with_an_audit_row(stage: Stage, admin: User) -> None:
    upgraded_until(stage, admin, name="cp-2", nodes=1)
    before = stage.operation

    operation = roll_back(stage, admin)

    before.refresh_from_db()
    assert (before.state, operation.kind) == (OperationState.CANCELLED, OperationKind.ROLL_BACK)
    row = AuditRow.objects.get(action="roll-back")
    assert row.detail == {"release": "1.0.0", "was": "1.1.0"}
    stage.gateway.refresh_from_db()
    assert stage.gateway.upgrading_to == stage.gateway.release
    with pytest.raises(Conflict, match=r"being rolled back to 1\.0\.0 already"):
        roll_back_gateway(gateway=stage.gateway, by=admin)


def test_gateway_can_be_upgraded_again_after_a_roll_back(stage: Stage, admin: User) -> None:
    upgraded_until(stage, admin, name="cp-2", nodes=1)
    roll_back(stage, admin)
    finish(stage)
    stage.guests.failing = set()

    upgrade(stage, admin)
    finish(stage)

    assert images(stage) == [NEW_IMAGE]


def test_node_that_is_half_gone_is_not_counted_on(stage: Stage, admin: User) -> None:
    run_gateway(stage, nodes=3)
    name = stage.cluster.name
    stage.guests.undrainable = {f"{name}-cp-1"}
    upgrade(stage, admin)
    stage.go_on_until(stage.fails_with(f"{name}-cp-1/out-of-cluster", "InstructionFailed"))
    stage.guests.undrainable = set()
    stage.guests.log.clear()

    roll_back(stage, admin)
    finish(stage)

    assert stage.guests.log == [
        f"{name}-cp-1 out",
        "version v1.31.2",
        f"{name}-cp-7 in",
        f"{name}-cp-4 out",
    ]
    assert images(stage) == [OLD_IMAGE] * 3


def test_last_old_node_that_leaves_ends_the_way_back(stage: Stage, admin: User) -> None:
    run_gateway(stage)
    name = stage.cluster.name
    stage.guests.undrainable = {f"{name}-cp-1"}
    upgrade(stage, admin)
    stage.go_on_until(stage.fails_with(f"{name}-cp-1/out-of-cluster", "InstructionFailed"))
    stage.gateway.refresh_from_db()

    with pytest.raises(Conflict, match=r"All control plane nodes run Kubernetes 1\.32\.3 by now"):
        roll_back_gateway(gateway=stage.gateway, by=admin)

    stage.guests.undrainable = set()
    finish(stage)
    assert images(stage) == [NEW_IMAGE]


def test_same_minor_version_can_go_back_until_the_end(stage: Stage, admin: User) -> None:
    run_gateway(stage, kubernetes_version="1.31.9")
    name = stage.cluster.name
    stage.guests.undrainable = {f"{name}-cp-1"}
    upgrade(stage, admin)
    stage.go_on_until(stage.fails_with(f"{name}-cp-1/out-of-cluster", "InstructionFailed"))
    stage.guests.undrainable = set()

    roll_back(stage, admin)
    finish(stage)

    assert images(stage) == [OLD_IMAGE]
    assert stage.guests.members == {f"{name}-cp-3"}


def test_last_old_node_that_left_meanwhile_finishes_the_upgrade_instead(stage: Stage, admin: User) -> None:
    run_gateway(stage)
    upgrade(stage, admin)
    ready = f"{stage.cluster.name}-cp-2/ready"
    stage.go_on_until(lambda: stage.step(ready).state == StepState.DONE)
    roll_back(stage, admin)
    Machine.objects.filter(cluster=stage.cluster, index=1).update(state=MachineState.DELETING)

    finish(stage)

    assert images(stage) == [NEW_IMAGE]
    assert stage.gateway.release.version == "1.1.0"
    (event,) = stage.events("UpgradeGoesOn")
    assert "The last node of release 1.0.0 had left already" in event.message


def test_planning_twice_makes_no_further_machines(stage: Stage, admin: User) -> None:
    upgraded_until(stage, admin, name="cp-5")
    operation = roll_back(stage, admin)
    stage.go_on_until(lambda: operation.steps.filter(key="replacement-planned", state="Done").exists())
    before = set(Machine.objects.filter(cluster=stage.cluster).values_list("pk", flat=True))
    step = operation.steps.get(key="replacement-planned")
    context = StepContext(
        step_id=step.pk,
        operation_id=operation.pk,
        operation_kind=operation.kind,
        subject=operation.subject,
        key=step.key,
        arguments=step.arguments,
        attempt=2,
        external_ref="",
    )

    outcome = ensure_replacement_planned(context)

    assert isinstance(outcome, Done)
    assert set(Machine.objects.filter(cluster=stage.cluster).values_list("pk", flat=True)) == before


def test_nothing_that_was_asked_for_before_is_given_to_a_node_any_more(stage: Stage, admin: User) -> None:
    run_gateway(stage, nodes=3)
    stage.guests.is_watching = False
    upgrade(stage, admin)
    stage.go_on_until(lambda: NodeInstruction.objects.outstanding().exists())

    roll_back(stage, admin)
    stage.guests.is_watching = True
    finish(stage)

    assert images(stage) == [OLD_IMAGE] * 3
    assert stage.guests.version in ("", "v1.31.2")


def test_nothing_under_way_cannot_be_rolled_back(stage: Stage, admin: User) -> None:
    run_gateway(stage)

    with pytest.raises(Conflict, match="No upgrade of the gateway is under way"):
        check_roll_back(stage.gateway, stage.cluster)


def test_nodes_are_told_apart_by_what_they_are_made_of(stage: Stage, admin: User) -> None:
    release = upgraded_until(stage, admin, name="cp-5")
    old = PrivateCloudGateway.objects.select_related("release").get(pk=stage.gateway.pk).release
    assert old is not None

    nodes = nodes_for(stage.cluster, release)
    back = nodes_for(stage.cluster, old)

    def indexes(machines: tuple[Machine, ...]) -> list[int]:
        return [machine.index for machine in machines]

    assert [indexes(kind) for kind in (nodes.keep, nodes.old, nodes.planned, nodes.left)] == [
        [4],
        [2, 3],
        [6],
        [5],
    ]
    assert [indexes(kind) for kind in (back.keep, back.old, back.planned, back.left)] == [
        [2, 3],
        [4],
        [],
        [5, 6],
    ]
