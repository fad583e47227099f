"""A gateway is upgraded on the lab's vCenter: node by node, while its clusters run and new ones wait."""

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from clusters.actions.queue import place_in_queue, why_queued
from clusters.models import Cluster, Machine
from clusters.states import ClusterHealth, ClusterState, MachineState
from gateways.actions.upgrade import upgrade_gateway
from gateways.models import PrivateCloudGateway
from gateways.releases import next_release, published_releases
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import start_operation
from palette_portal.orchestration.models import Event, Operation, OperationKind, OperationState
from palette_portal.orchestration.outcomes import Wait
from palette_portal.orchestration.steps import StepContext, StepSpec
from palette_portal.tenants.models import AuditRow, User
from tests.factories import amelia
from tests.integration.provisioning.stage import Stage
from tests.integration.upgrades.scene import (
    NEW_IMAGE,
    OLD_IMAGE,
    finish,
    images,
    publish,
    run_gateway,
    tenant_cluster,
    upgrade,
)

BUSY = StepSpec("busy", "Keep busy", "tests.integration.upgrades.test_upgrade.wait_for_ever")


def wait_for_ever(context: StepContext) -> Wait:
    return Wait(600, "Busy.")


@pytest.fixture
def admin(stage: Stage) -> User:
    return amelia()


def test_three_nodes_are_replaced_one_by_one_and_never_fewer_than_two_are_ready(
    stage: Stage, admin: User
) -> None:
    stage.pool.end = "10.10.183.24"  # three nodes, the virtual IP and one spare address
    stage.pool.save()
    release = run_gateway(stage, nodes=3)

    upgrade(stage, admin)
    fewest_ready = finish(stage)

    assert fewest_ready >= 2
    name = stage.cluster.name
    assert stage.guests.log == [
        "version v1.32.3",
        f"{name}-cp-4 in",
        f"{name}-cp-1 out",
        f"{name}-cp-5 in",
        f"{name}-cp-2 out",
        f"{name}-cp-6 in",
        f"{name}-cp-3 out",
    ]
    assert images(stage) == [NEW_IMAGE] * 3
    assert (stage.gateway.release, stage.gateway.upgrading_to) == (release, None)
    assert (stage.cluster.kubernetes_version, stage.cluster.image_template) == ("1.32.3", NEW_IMAGE)
    assert next_release(stage.gateway, published_releases()) is None
    (event,) = stage.events("GatewayUpgraded")
    assert event.message == (
        f"The gateway {stage.gateway} has release 1.1.0, and takes requests for clusters again."
    )


def test_single_node_is_replaced_by_one_that_joins_first(stage: Stage, admin: User) -> None:
    run_gateway(stage)

    upgrade(stage, admin)
    fewest_ready = finish(stage)

    assert fewest_ready == 1
    name = stage.cluster.name
    assert stage.guests.log == ["version v1.32.3", f"{name}-cp-2 in", f"{name}-cp-1 out"]


def test_gateway_is_shown_as_upgrading_until_the_end(stage: Stage, admin: User) -> None:
    release = run_gateway(stage)

    upgrade(stage, admin)

    stage.gateway.refresh_from_db()
    assert (stage.gateway.release.version, stage.gateway.upgrading_to) == ("1.0.0", release)
    row = AuditRow.objects.get(action="upgrade")
    assert (row.user, row.detail) == (admin, {"release": "1.1.0", "was": "1.0.0"})


def test_requests_wait_with_that_reason_and_start_by_themselves_in_order(
    stage: Stage, admin: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    run_gateway(stage)
    upgrade(stage, admin)

    wishes = [_wish(stage, f"app-{number}") for number in range(1, 6)]

    assert {wish.reason for wish in wishes} == {f"The gateway {stage.gateway} is being upgraded to 1.1.0."}
    assert [place_in_queue(wish) for wish in wishes] == [1, 2, 3, 4, 5]
    with django_capture_on_commit_callbacks(execute=True):
        finish(stage)
    states = Operation.objects.filter(pk__in=[wish.pk for wish in wishes]).order_by("created_at")
    assert list(states.values_list("state", flat=True)) == ["Running"] * 3 + ["Queued"] * 2
    assert place_in_queue(wishes[3]) == 1


def test_running_clusters_and_what_is_done_to_them_are_not_touched(stage: Stage, admin: User) -> None:
    run_gateway(stage)
    running = tenant_cluster(stage, "shop")
    busy = _wish(stage, "busy")
    before = _facts(running)

    upgrade(stage, admin)
    finish(stage)

    assert _facts(running) == before
    busy.refresh_from_db()
    assert busy.state == OperationState.RUNNING


def test_upgrade_needs_a_spare_address(stage: Stage, admin: User) -> None:
    stage.pool.end = "10.10.183.22"
    stage.pool.save()
    run_gateway(stage)
    stage.pool.end = "10.10.183.21"
    stage.pool.save()

    with pytest.raises(Conflict, match="has no free address, and a new node joins before an old one leaves"):
        upgrade_gateway(gateway=stage.gateway, to="1.1.0", by=admin)

    stage.gateway.refresh_from_db()
    assert stage.gateway.upgrading_to is None


def test_upgrade_needs_healthy_nodes(stage: Stage, admin: User) -> None:
    run_gateway(stage)
    Cluster.objects.filter(pk=stage.cluster.pk).update(health=ClusterHealth.UNHEALTHY)

    with pytest.raises(Conflict, match="not healthy"):
        upgrade_gateway(gateway=stage.gateway, to="1.1.0", by=admin)


def test_upgrade_is_refused_twice_and_beside_other_work(stage: Stage, admin: User) -> None:
    run_gateway(stage)
    start_operation(kind=OperationKind.RESIZE, subject=stage.cluster.subject, steps=[BUSY], by=None)
    with pytest.raises(Conflict, match="Another operation"):
        upgrade_gateway(gateway=stage.gateway, to="1.1.0", by=admin)
    Operation.objects.all().delete()
    upgrade(stage, admin)

    with pytest.raises(Conflict, match=r"being upgraded to 1\.1\.0 already"):
        upgrade_gateway(gateway=stage.gateway, to="1.1.0", by=admin)


def test_upgrade_of_the_newest_is_refused(stage: Stage, admin: User) -> None:
    release = run_gateway(stage)
    PrivateCloudGateway.objects.update(release=release)

    with pytest.raises(Conflict, match=r"has the newest release, 1\.1\.0"):
        upgrade_gateway(gateway=stage.gateway, to="1.1.0", by=admin)


def test_only_what_was_reviewed_is_applied(stage: Stage, admin: User) -> None:
    run_gateway(stage)
    publish("1.2.0", kubernetes_version="1.32.9", image_template="another")

    with pytest.raises(Conflict, match=r"Release 1\.2\.0 was published meanwhile"):
        upgrade_gateway(gateway=stage.gateway, to="1.1.0", by=admin)


def test_missing_image_stops_the_upgrade_before_anything_is_touched(stage: Stage, admin: User) -> None:
    run_gateway(stage, image_template="not-there")

    upgrade(stage, admin)
    stage.go_on_until(stage.fails_with("release-image", "TemplateNotFound"))

    assert stage.guests.log == []
    assert images(stage)[0] == OLD_IMAGE
    assert stage.lab.calls().get("CloneVM_Task", 0) == 0


def test_failing_node_is_tried_again_until_it_joins(stage: Stage, admin: User) -> None:
    run_gateway(stage, nodes=3)
    stage.guests.refusing["remove-node"] = 2

    upgrade(stage, admin)
    finish(stage)

    assert images(stage) == [NEW_IMAGE] * 3
    assert Event.objects.of(stage.cluster.subject).filter(reason="InstructionFailed").exists()


def test_machines_that_an_earlier_operation_left_are_removed_first(stage: Stage, admin: User) -> None:
    run_gateway(stage)
    (old,) = Machine.objects.filter(cluster=stage.cluster)
    Machine.objects.create(
        cluster=stage.cluster,
        pool=old.pool,
        placement=old.placement,
        index=2,
        name=f"{stage.cluster.name}-cp-2",
        state=MachineState.PROVISIONING,
        kubernetes_version="1.31.2",
        image_template=OLD_IMAGE,
    )

    upgrade(stage, admin)
    finish(stage)

    assert images(stage) == [NEW_IMAGE]


def _wish(stage: Stage, name: str) -> Operation:
    cluster = tenant_cluster(stage, name, ClusterState.PROVISIONING)
    return start_operation(
        kind=OperationKind.PROVISION,
        subject=cluster.subject,
        steps=[BUSY],
        by=None,
        queued_because=why_queued(cluster),
    )


def _facts(cluster: Cluster) -> dict[str, object]:
    return Cluster.objects.values().get(pk=cluster.pk)
