"""The Kubernetes side: what nodes report of themselves brings the cluster up, one truth at a time."""

from dataclasses import replace
from datetime import timedelta

from django.utils import timezone

from clusters.models import Cluster, Machine
from clusters.phases import FAILED, has_reached
from clusters.states import ClusterHealth, ClusterState, MachineState, move_cluster
from clusters.steps.work import SAFETY_SECONDS, Work, step, update_machine
from palette_portal.orchestration.models import Severity, Step
from palette_portal.orchestration.outcomes import Done, Failed, Note, Outcome, Retry, Wait

SLOW_NODE = timedelta(minutes=15)
LOG_HINT = (
    "Sign in to the node as user spectro and read /var/log/palette-bootstrap.log. "
    "When it is repaired, or reset and rebuilt, the step goes on."
)


@step
def ensure_control_plane_up(work: Work) -> Outcome:
    answers = Note(Severity.INFO, "ControlPlaneUp", f"The Kubernetes API answers at {work.cluster.endpoint}.")
    return _phase(work, "control-plane-ready", "kubeadm is starting the control plane", answers)


@step
def ensure_machine_joined(work: Work) -> Outcome:
    machine = work.machine
    joined = f"{machine.name} is a node of {work.cluster.name}."
    note = Note(Severity.INFO, "MachineJoined", joined, "machine", machine.name)
    return _phase(work, "joined", "kubeadm is joining the node", note)


@step
def ensure_machine_ready(work: Work) -> Outcome:
    """Of a machine that joins a running cluster."""
    machine = work.machine
    running = f"{machine.name} is ready and takes pods."
    note = Note(Severity.INFO, "MachineRunning", running, "machine", machine.name)
    outcome = _phase(work, "ready", "the node is getting ready", note)
    if not isinstance(outcome, Done):
        return outcome

    def write() -> None:
        update_machine(machine.id, MachineState.RUNNING, running_at=machine.running_at or timezone.now())

    return replace(outcome, write=write)


def _phase(work: Work, phase: str, doing: str, done: Note) -> Outcome:
    machine = work.machine
    if has_reached(machine, phase):
        return Done(done.message, (done,))
    if machine.phase == FAILED:
        return _bootstrap_failed(work, machine, machine.wake_reference)
    if _waited(work) < SLOW_NODE:
        return _wait(machine.wake_reference, f"{machine.name}: {doing}.", "WaitingForNode")
    slow = f"{machine.name} is taking longer than usual: {doing}, and its last report came"
    return _wait(machine.wake_reference, f"{slow} {_last_report(machine)}. {LOG_HINT}", "SlowNode")


def _bootstrap_failed(work: Work, machine: Machine, reference: str) -> Failed:
    """The next report of a repaired node rings the reference: the step does not sit out its pause."""
    work.context.keep_reference(reference)
    last_line = next((line for line in reversed(machine.phase_message.splitlines()) if line.strip()), "")
    return Failed(
        "NodeBootstrapFailed",
        f"{machine.name} could not set itself up. {last_line}".strip(),
        LOG_HINT,
        Retry.SLOWLY,
    )


def _last_report(machine: Machine) -> str:
    if machine.last_report_at is None:
        return "never: check that the node reaches the portal"
    minutes = int((timezone.now() - machine.last_report_at).total_seconds() // 60)
    return f"{minutes} minutes ago" if minutes else "just now"


@step
def ensure_nodes_ready(work: Work) -> Outcome:
    machines = list(Machine.objects.present().filter(cluster=work.cluster))
    ready = [machine for machine in machines if has_reached(machine, "ready")]
    missing = [machine.name for machine in machines if machine not in ready]

    def write() -> None:
        for machine in ready:
            update_machine(machine.id, MachineState.RUNNING, running_at=machine.running_at or timezone.now())

    if not missing:
        note = Note(Severity.INFO, "NodesReady", f"All {len(ready)} nodes are ready.")
        return Done(f"{len(ready)} of {len(machines)} nodes are ready.", (note,), write)
    if failed := [machine for machine in machines if machine.phase == FAILED]:
        return _bootstrap_failed(work, failed[0], work.cluster.wake_reference)
    message = f"{len(ready)} of {len(machines)} nodes are ready; waiting for {', '.join(missing)}."
    progress = 100 * len(ready) // len(machines)
    return Wait(
        SAFETY_SECONDS,
        message,
        "WaitingForNodes",
        external_ref=work.cluster.wake_reference,
        progress=progress,
        write=write,
    )


@step
def ensure_cluster_running(work: Work) -> Outcome:
    cluster = work.cluster

    def write() -> None:
        fresh = Cluster.objects.select_for_update().get(pk=cluster.pk)
        if fresh.state == ClusterState.PROVISIONING:
            facts = {"health": ClusterHealth.HEALTHY, "running_at": timezone.now()}
            move_cluster(fresh, ClusterState.RUNNING, **facts)

    note = Note(Severity.INFO, "ClusterRunning", f"{cluster.name} is running at {cluster.endpoint}.")
    return Done(f"The Kubernetes API answers at {cluster.endpoint}.", (note,), write)


def _waited(work: Work) -> timedelta:
    began = Step.objects.values_list("first_started_at", flat=True).get(pk=work.context.step_id)
    return timezone.now() - began if began else timedelta(0)


def _wait(reference: str, message: str, reason: str) -> Wait:
    return Wait(SAFETY_SECONDS, message, reason, external_ref=reference)
