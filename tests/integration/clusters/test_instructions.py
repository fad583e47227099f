"""What control plane nodes are given to do, and what becomes of their answers."""

import base64
from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.db.models.functions import Now
from django.test import Client

from clusters.actions.instructions import (
    REMEMBERED,
    arguments_of,
    ask_again,
    ask_nodes,
    forget_instructions,
)
from clusters.models import InstructionKind, InstructionState, NodeInstruction, PoolRole
from clusters.states import MachineState
from clusters.tokens import report_token, token_digest
from palette_portal.bootstrap.errors import BootstrapError
from palette_portal.orchestration.actions import cancel_operation, start_operation
from palette_portal.orchestration.models import Operation, OperationKind, OperationState, Step, StepState
from palette_portal.orchestration.steps import StepSpec
from tests.factories import make_cluster, make_gateway, make_machine, make_machine_pool

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool():
    return make_machine_pool()


def make_node(pool, index=1, **fields):
    values = {"phase": "ready", "state": MachineState.RUNNING, **fields}
    machine = make_machine(pool, index=index, name=f"{pool.name}-{index}", **values)
    machine.report_token_hash = token_digest(report_token(machine).reveal())
    machine.save()
    return machine


def ask(pool, **changes):
    """A step asks; there is one operation per cluster."""
    spec = StepSpec(key="s", title="S", function="x.y")
    operation = start_operation(kind=OperationKind.SCALE, subject=pool.cluster.subject, steps=[spec], by=None)
    values = {
        "cluster": pool.cluster,
        "step_id": operation.steps.get().pk,
        "key": "k",
        "kind": InstructionKind.REMOVE_NODE,
        "arguments": {"name": "gw-cp-9"},
        **changes,
    }
    return ask_nodes(**values)


def headers(machine):
    return {"authorization": f"Bearer {report_token(machine).reveal()}"}


def fetch(machine, **kwargs):
    path = f"/v1/machines/{machine.id}/instructions"
    return Client().get(path, headers=kwargs.get("headers", headers(machine)))


def answer(machine, instruction, state="done", message=""):
    path = f"/v1/machines/{machine.id}/instructions/{instruction.id}"
    return Client().post(path, {"state": state, "message": message}, headers=headers(machine))


def state_of(instruction):
    instruction.refresh_from_db()
    return instruction.state


def test_node_fetches_and_answers(pool):
    node, instruction = make_node(pool), ask(pool)

    given = fetch(node)
    assert given.status_code == 200
    assert given.content.decode().splitlines() == [
        f"id={instruction.id}",
        "kind=remove-node",
        f"name={base64.b64encode(b'gw-cp-9').decode()}",
    ]

    assert answer(node, instruction, message="drained").status_code == 204
    instruction.refresh_from_db()
    assert (instruction.state, instruction.message) == (InstructionState.DONE, "drained")
    assert fetch(node).status_code == 204


def test_answer_wakes_the_step(pool):
    node, instruction = make_node(pool), ask(pool)
    steps = Step.objects.filter(pk=instruction.step_id)
    steps.update(
        state=StepState.WAITING,
        external_ref=instruction.wake_reference,
        due_at=Now() + timedelta(minutes=5),
    )
    fetch(node)

    answer(node, instruction)

    assert steps.filter(due_at__lte=Now()).exists()


def test_wrong_token_gets_nothing(pool):
    node, other = make_node(pool), make_node(pool, 2)
    ask(pool)

    assert fetch(node, headers=headers(other)).status_code == 401
    assert fetch(node, headers={}).status_code == 401


@pytest.mark.parametrize(
    "fields",
    [
        {"phase": "joined"},
        {"phase": "failed"},
        {"state": MachineState.DELETING},
        {"state": MachineState.DELETED},
    ],
)
def test_node_that_is_not_ready_or_leaves_gets_nothing(pool, fields):
    node = make_node(pool, **fields)
    ask(pool)

    assert fetch(node).status_code == 204


def test_worker_gets_nothing(pool):
    workers = make_machine_pool(pool.cluster, name="workers", role=PoolRole.WORKER)
    node = make_node(workers)
    ask(pool)

    assert fetch(node).status_code == 204


def test_node_of_another_cluster_gets_and_answers_nothing(pool):
    stranger, instruction = make_node(make_machine_pool(make_cluster(make_gateway()))), ask(pool)

    assert fetch(stranger).status_code == 204
    assert answer(stranger, instruction).status_code == 404
    assert state_of(instruction) == InstructionState.OPEN


def test_node_is_not_asked_to_remove_itself(pool):
    node, other = make_node(pool), make_node(pool, 2)
    ask(pool, avoid=node)

    assert fetch(node).status_code == 204
    assert fetch(other).status_code == 200


def test_one_node_at_a_time_until_its_lease_ends(pool):
    node, other, instruction = make_node(pool), make_node(pool, 2), ask(pool)
    fetch(node)

    assert fetch(other).status_code == 204
    assert fetch(node).status_code == 200
    NodeInstruction.objects.update(given_until=Now())
    assert fetch(other).status_code == 200
    assert fetch(node).status_code == 204
    instruction.refresh_from_db()
    assert instruction.given_to == other


def test_oldest_comes_first(pool):
    node, first = make_node(pool), ask(pool)
    values = {"cluster": pool.cluster, "step_id": first.step_id, "kind": InstructionKind.REMOVE_NODE}
    second = ask_nodes(**values, key="k2", arguments={"name": "b"})

    assert str(first.id) in fetch(node).content.decode()
    answer(node, first)
    assert str(second.id) in fetch(node).content.decode()


def test_late_failure_of_a_former_holder_changes_nothing(pool):
    node, other, instruction = make_node(pool), make_node(pool, 2), ask(pool)
    fetch(node)
    NodeInstruction.objects.update(given_until=Now())
    fetch(other)

    assert answer(node, instruction, "failed").status_code == 204
    assert state_of(instruction) == InstructionState.GIVEN


def test_late_done_of_a_former_holder_counts(pool):
    node, other, instruction = make_node(pool), make_node(pool, 2), ask(pool)
    fetch(node)
    NodeInstruction.objects.update(given_until=Now())
    fetch(other)
    answer(other, instruction, "failed", "etcd is slow")

    answer(node, instruction, "done")

    assert state_of(instruction) == InstructionState.DONE


def test_answer_that_comes_twice_changes_nothing(pool):
    node, instruction = make_node(pool), ask(pool)
    fetch(node)

    for state in ("done", "failed", "done"):
        assert answer(node, instruction, state).status_code == 204

    assert state_of(instruction) == InstructionState.DONE


def test_failed_one_is_given_again_when_asked_anew(pool):
    node, instruction = make_node(pool), ask(pool)
    fetch(node)
    answer(node, instruction, "failed")
    assert fetch(node).status_code == 204

    ask_again(instruction)

    assert fetch(node).status_code == 200


def test_asking_twice_is_one_instruction(pool):
    first = ask(pool)

    again = ask_nodes(
        cluster=pool.cluster,
        step_id=first.step_id,
        key="k",
        kind=InstructionKind.REMOVE_NODE,
        arguments={"name": "another"},
    )

    assert again == first


def test_wish_of_a_cancelled_operation_is_withdrawn(pool):
    node, instruction = make_node(pool), ask(pool)
    cancel_operation(Step.objects.get(pk=instruction.step_id).operation, by=None)

    assert fetch(node).status_code == 204
    assert state_of(instruction) == InstructionState.WITHDRAWN


def end_operation():
    Operation.objects.update(state=OperationState.SUCCEEDED, finished_at=Now())


def test_what_was_told_is_forgotten_when_the_operation_has_ended(pool):
    node, instruction = make_node(pool), ask(pool)
    fetch(node)
    answer(node, instruction, message="node/gw-cp-9 drained")
    end_operation()

    forget_instructions()

    instruction.refresh_from_db()
    assert (instruction.arguments, instruction.message) == ("", "")
    assert (instruction.kind, instruction.state) == (InstructionKind.REMOVE_NODE, InstructionState.DONE)
    assert instruction.finished_at is not None and instruction.given_to == node


@pytest.mark.parametrize("state", ["done", "failed"])
def test_step_finds_what_it_asked_for_while_its_operation_runs(pool, state):
    node, instruction = make_node(pool), ask(pool)
    fetch(node)
    answer(node, instruction, state, "because")
    NodeInstruction.objects.update(finished_at=Now() - 2 * REMEMBERED)

    forget_instructions()

    instruction.refresh_from_db()
    assert arguments_of(instruction) == {"name": "gw-cp-9"}
    assert instruction.message == "because"


def test_open_one_is_kept_while_its_operation_runs_and_withdrawn_afterwards(pool):
    instruction = ask(pool)
    forget_instructions()
    assert state_of(instruction) == InstructionState.OPEN

    end_operation()
    forget_instructions()

    assert state_of(instruction) == InstructionState.WITHDRAWN
    assert instruction.arguments == ""


def test_row_goes_when_nobody_needs_to_know_of_it_any_more(pool):
    ask(pool)
    end_operation()
    forget_instructions()
    NodeInstruction.objects.update(finished_at=Now() - REMEMBERED + timedelta(hours=1))
    forget_instructions()
    assert NodeInstruction.objects.exists()

    NodeInstruction.objects.update(finished_at=Now() - REMEMBERED - timedelta(hours=1))
    forget_instructions()

    assert not NodeInstruction.objects.exists()


def test_instructions_are_forgotten_by_a_schedule():
    assert "clusters.actions.instructions.forget_instructions" in settings.ORCHESTRATION_SCHEDULES


def test_instruction_that_no_node_could_use_is_refused(pool):
    with pytest.raises(BootstrapError):
        ask(pool, arguments={"name": "--all"})


@pytest.mark.parametrize("values", [{"state": "perhaps"}, {"state": "done", "message": "x" * 4001}])
def test_answer_of_another_form_is_refused(pool, values):
    node, instruction = make_node(pool), ask(pool)
    path = f"/v1/machines/{node.id}/instructions/{instruction.id}"

    assert Client().post(path, values, headers=headers(node)).status_code == 422


def test_unknown_instruction_is_not_found(pool):
    node = make_node(pool)
    path = f"/v1/machines/{node.id}/instructions/{uuid4()}"

    assert Client().post(path, {"state": "done"}, headers=headers(node)).status_code == 404


def test_arguments_are_encrypted_in_the_database(pool):
    from django.db import connection

    ask(pool, kind=InstructionKind.CREATE_JOIN_TOKEN, arguments={"token": "abcdef.0123456789abcdef"})

    with connection.cursor() as cursor:
        cursor.execute("SELECT arguments FROM clusters_nodeinstruction")
        assert "0123456789abcdef" not in cursor.fetchone()[0]
