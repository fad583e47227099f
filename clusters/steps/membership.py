"""Who belongs to a running cluster: its own control plane nodes let others in and take them out."""

from dataclasses import replace
from uuid import UUID

from clusters.actions.instructions import arguments_of
from clusters.models import ClusterSecrets, InstructionKind, PoolRole
from clusters.states import MachineState
from clusters.steps.instructions import instruct, instruction_of
from clusters.steps.work import Work, step, update_machine
from palette_portal.bootstrap.pki import generate_bootstrap_token
from palette_portal.orchestration.models import Severity
from palette_portal.orchestration.outcomes import Done, Note, Outcome, Wait

JOIN_TOKEN = "join-token"


@step
def ensure_join_token(work: Work) -> Outcome:
    """A fresh one for every operation: the one before has expired, or will soon."""
    outcome = instruct(
        work,
        key=JOIN_TOKEN,
        kind=InstructionKind.CREATE_JOIN_TOKEN,
        arguments={"token": generate_bootstrap_token().reveal()},
        message="A control plane node is making a token for new nodes.",
    )
    if outcome is not None:
        return outcome
    instruction = instruction_of(work, JOIN_TOKEN)
    assert instruction is not None  # it is done
    token = arguments_of(instruction)["token"]

    def write() -> None:
        ClusterSecrets.objects.filter(cluster=work.cluster).update(bootstrap_token=token)

    return replace(_done("JoinTokenMade", "New nodes can join for a day."), write=write)


@step
def ensure_kubernetes_version(work: Work) -> Outcome:
    version = work.context.arguments["version"]
    outcome = instruct(
        work,
        key="kubernetes-version",
        kind=InstructionKind.SET_KUBERNETES_VERSION,
        arguments={"version": version},
        message=f"The cluster is being told that nodes join with Kubernetes {version}.",
    )
    return outcome or _done("KubernetesVersionSet", f"Nodes join with Kubernetes {version}.")


@step
def ensure_addons_follow(work: Work) -> Outcome:
    """When all control plane nodes have the version."""
    version = work.context.arguments["version"]
    outcome = instruct(
        work,
        key="addons",
        kind=InstructionKind.SET_KUBERNETES_VERSION,
        arguments={"version": version, "addons": True},
        message=f"The cluster's own pods are being brought to Kubernetes {version}.",
    )
    return outcome or _done("AddonsFollowed", f"The cluster's own pods are of Kubernetes {version}.")


@step
def ensure_node_removed(work: Work) -> Outcome:
    """Drained, and no member of etcd any more. Fine when it is gone, or never came."""
    machine = work.machine
    is_master = machine.pool.role == PoolRole.CONTROL_PLANE
    outcome = instruct(
        work,
        key="remove-node",
        kind=InstructionKind.REMOVE_NODE,
        arguments={"name": machine.name, "address": machine.ip_address if is_master else None},
        message=f"{machine.name} is being drained and taken out of the cluster.",
        avoid=machine,
    )
    if isinstance(outcome, Wait):
        return _leaving(machine.pk, outcome)
    if outcome is not None:
        return outcome
    sentence = f"{machine.name} is not a node of {work.cluster.name} any more."
    note = Note(Severity.INFO, "NodeRemoved", sentence, "machine", machine.name)
    return Done(sentence, (note,))


def _leaving(machine_id: UUID, outcome: Wait) -> Wait:
    def write() -> None:
        if outcome.write:
            outcome.write()
        update_machine(machine_id, MachineState.DELETING)

    return replace(outcome, write=write)


def _done(reason: str, message: str) -> Done:
    return Done(message, (Note(Severity.INFO, reason, message),))
