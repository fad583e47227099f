"""Palette's condition types, told from steps and facts."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from clusters.conditions import Condition, conditions_of
from clusters.layers import ShownPack, packs_of
from clusters.models import Cluster, ClusterLayer, PoolRole
from clusters.profiles.models import LayerKind
from palette_portal.orchestration.models import Operation, Step
from palette_portal.orchestration.progress import Progress, ShownStep

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def cluster(**facts: Any) -> Cluster:
    return Cluster(**{"state": "Provisioning", "health": "Unknown", "created_at": NOW, **facts})


def step(function: str, state: str = "Pending", group: str = "", **facts: Any) -> ShownStep:
    return ShownStep(Step(function=f"clusters.steps.{function}", state=state, group=group, **facts))


ROLES = {"cp-1": PoolRole.CONTROL_PLANE, "w-1": PoolRole.WORKER}


def told(shown: Cluster, *steps: ShownStep, packs: list[ShownPack] | None = None) -> dict[str, Condition]:
    conditions = conditions_of(shown, Progress(Operation(), steps), roles=ROLES, packs=packs or [])
    return {condition.type: condition for condition in conditions}


@pytest.mark.parametrize(
    ("state", "facts", "status", "reason"),
    [
        ("Pending", {}, "Unknown", "NotStarted"),
        ("Running", {}, "False", "InProgress"),
        ("Waiting", {"reason": "WaitingForImage"}, "False", "WaitingForImage"),
        ("Retrying", {"reason": "TemplateNotFound", "failures": 1}, "False", "TemplateNotFound"),
        ("Done", {"finished_at": NOW}, "True", "ImageResolved"),
        ("Cancelled", {}, "False", "Cancelled"),
    ],
)
def test_condition_follows_its_step(state: str, facts: dict[str, Any], status: str, reason: str) -> None:
    condition = told(cluster(), step("images.ensure_image_template_found", state, **facts))[
        "ImageResolutionDone"
    ]

    assert (condition.status, condition.reason) == (status, reason)
    assert condition.is_failed == (state == "Retrying")


def test_condition_of_several_steps_is_true_when_all_are_done() -> None:
    done = step("preparation.ensure_account_valid", "Done", finished_at=NOW)
    waits = step("preparation.ensure_placement_valid")

    assert told(cluster(), done, waits)["CloudInfrastructureReady"].status == "False"
    assert told(cluster(), done)["CloudInfrastructureReady"].at == NOW


def test_nodes_count_for_the_pool_of_their_machine() -> None:
    conditions = told(
        cluster(),
        step("machines.ensure_machine_cloned", "Done", "cp-1", finished_at=NOW),
        step("machines.ensure_machine_cloned", "Retrying", "w-1", failures=1, reason="DatastoreFull"),
        step("removal.ensure_machine_destroyed", "Running", "w-1"),
    )

    assert conditions["ControlPlaneNodeAdditionDone"].status == "True"
    assert conditions["WorkerNodeAdditionDone"].reason == "DatastoreFull"
    assert conditions["WorkerNodeDeletionDone"].status == "False"
    assert conditions["ControlPlaneNodeDeletionDone"].reason == "NothingToDelete"


def test_conditions_of_a_running_cluster_stay_true_when_an_operation_does_something_else() -> None:
    running = cluster(state="Running", health="Healthy", running_at=NOW)

    conditions = told(running, step("pools.ensure_node_changed", "Running"))

    assert {condition.status for condition in conditions.values()} == {"True"}
    assert conditions["BootstrappingDone"].at == NOW


def test_ready_says_what_is_unhealthy() -> None:
    unhealthy = cluster(state="Running", health="Unhealthy", health_problems=["w-1 is powered off."])

    condition = told(unhealthy)["Ready"]

    assert (condition.status, condition.reason, condition.is_failed) == ("False", "Unhealthy", True)
    assert condition.message == "w-1 is powered off."


@pytest.mark.parametrize("state", ["Deleting", "Deleted"])
def test_cluster_that_leaves_tells_of_its_leaving_only(state: str) -> None:
    leaving = cluster(state=state, running_at=NOW, deleted_at=NOW if state == "Deleted" else None)
    metallb = layer(LayerKind.ADD_ON, "metallb", NOW)

    conditions = told(
        leaving,
        step("removal.ensure_machine_gone", "Done", "cp-1", finished_at=NOW),
        step("removal.ensure_machine_gone", "Running", "w-1"),
        packs=[ShownPack(metallb, "Applied")],
    )

    assert {type_: condition.reason for type_, condition in conditions.items()} == {
        "ControlPlaneNodeDeletionDone": "NodesDeleted",
        "WorkerNodeDeletionDone": "InProgress",
        "Ready": state,
    }
    assert conditions["Ready"].at == leaving.deleted_at
    assert conditions["Ready"].tone == ("mute" if state == "Deleted" else "info")


def test_forced_deletion_does_not_say_that_the_nodes_are_deleted() -> None:
    forced = step("forced.ensure_tried_once_more", "Done", "cp-1", finished_at=NOW)

    condition = told(cluster(state="Deleted"), forced)["ControlPlaneNodeDeletionDone"]

    assert (condition.status, condition.reason) == ("Unknown", "Forced")
    assert "remains on vCenter" in condition.message


@pytest.mark.parametrize(
    ("state", "ran", "word"),
    [
        ("Deleting", True, "Applied"),
        ("Deleted", True, "Was applied"),
        ("Deleting", False, "Not finished"),
        ("Deleted", False, "Not finished"),
    ],
)
def test_packs_of_a_cluster_that_leaves_are_past(state: str, ran: bool, word: str) -> None:
    leaving = cluster(state=state, running_at=NOW if ran else None)

    (pack,) = packs_of(leaving, [layer(LayerKind.NETWORK, "calico")], [])

    assert (pack.word, pack.tone) == (word, "ok" if word == "Applied" else "mute")


def layer(kind: LayerKind, pack: str, applied_at: datetime | None = None) -> ClusterLayer:
    return ClusterLayer(kind=kind, pack=pack, pack_version="1.0.0", applied_at=applied_at)


def test_add_ons_are_a_condition_of_clusters_that_have_some() -> None:
    metallb = layer(LayerKind.ADD_ON, "metallb")

    waiting = told(cluster(), packs=[ShownPack(metallb, "Waiting")])["AddOnDeploymentDone"]

    assert waiting.message == "Waiting for metallb."
    assert told(cluster(), packs=[ShownPack(metallb, "Applied")])["AddOnDeploymentDone"].status == "True"
    assert "AddOnDeploymentDone" not in told(cluster())


@pytest.mark.parametrize(
    ("phase", "running", "applied", "words"),
    [
        ("", False, False, ["Waiting", "Waiting"]),
        ("booted", False, False, ["Applying", "Waiting"]),
        ("control-plane-ready", False, False, ["Applying", "Applying"]),
        ("packs-applied", False, False, ["Applied", "Applied"]),
        ("failed", False, False, ["Failed", "Failed"]),
        ("ready", True, False, ["Applied", "Applied"]),
        # One was changed since, and is not applied yet.
        ("ready", True, True, ["Applied", "Applying"]),
    ],
)
def test_dots_of_packs_follow_the_first_node(
    phase: str, running: bool, applied: bool, words: list[str]
) -> None:
    layers = [
        layer(LayerKind.KUBERNETES, "kubernetes", NOW if applied else None),
        layer(LayerKind.NETWORK, "calico"),
    ]
    first: Any = SimpleNamespace(phase=phase, is_first=True)

    shown = packs_of(cluster(running_at=NOW if running else None), layers, [first])

    assert [pack.word for pack in shown] == words
