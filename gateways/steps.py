"""The last steps of a gateway's cluster: from "the nodes are ready" to "tenant clusters can come"."""

from django.utils import timezone

from clusters.models import Cluster, ClusterPurpose, Machine
from clusters.phases import has_reached
from clusters.states import ClusterHealth, ClusterState
from gateways.actions.delete import farewell, finish_deletion
from gateways.actions.replacement import replacement_steps
from gateways.actions.reset import reopen_gateway
from gateways.actions.upgrade import can_go_back
from gateways.models import GatewayRelease, PrivateCloudGateway
from gateways.states import GatewayState, move_gateway
from palette_portal.orchestration.actions import announce_subject
from palette_portal.orchestration.models import Operation
from palette_portal.orchestration.outcomes import Done, Note, Outcome, Wait
from palette_portal.orchestration.states import Severity
from palette_portal.orchestration.steps import StepContext

# A report wakes the step at once; this is for one that got lost.
SAFETY_SECONDS = 10


def ensure_gateway_health_registered(context: StepContext) -> Outcome:
    """The portal watches the gateway by its nodes' reports: from here on each node has sent one as ready."""
    cluster = _cluster(context)
    machines = list(Machine.objects.present().filter(cluster=cluster))
    silent = [machine.name for machine in machines if not has_reached(machine, "ready")]
    if silent:
        message = f"Waiting for a report from {', '.join(silent)}."
        return Wait(SAFETY_SECONDS, message, "WaitingForHealth", external_ref=cluster.wake_reference)

    def write() -> None:
        Cluster.objects.filter(pk=cluster.pk).update(health=ClusterHealth.HEALTHY)

    return Done(f"{len(machines)} of {len(machines)} nodes report that they are healthy.", write=write)


def ensure_gateway_running(context: StepContext) -> Outcome:
    cluster = _cluster(context)
    gateway = cluster.gateway

    def write() -> None:
        fresh = PrivateCloudGateway.objects.select_for_update(no_key=True).get(pk=gateway.pk)
        if fresh.state == GatewayState.PROVISIONING and not _is_leaving(cluster):
            move_gateway(fresh, GatewayState.RUNNING, running_at=timezone.now())
            announce_subject(fresh.subject)

    sentence = f"The gateway {gateway} is running. The installer virtual machine can be powered off now."
    note = Note(Severity.INFO, "GatewayRunning", sentence, object_kind="gateway", object_name=gateway.name)
    return Done("The gateway takes tenant clusters now.", (note,), write)


def ensure_gateway_resized(context: StepContext) -> Outcome:
    """All its nodes are ready: from now on it is a gateway of so many."""
    gateway, size = _cluster(context).gateway, int(context.arguments["size"])

    def write() -> None:
        running = PrivateCloudGateway.objects.filter(pk=gateway.pk, state=GatewayState.RUNNING)
        running.filter(size__lt=size).update(size=size)
        announce_subject(gateway.subject)

    sentence = f"The gateway {gateway} has {size} nodes."
    note = Note(Severity.INFO, "GatewayResized", sentence, object_kind="gateway", object_name=gateway.name)
    return Done(sentence, (note,), write)


def ensure_gateway_reset(context: StepContext) -> Outcome:
    """Its cluster is Deleted: the gateway waits for the Configure wizard again."""
    cluster = _cluster(context)
    gateway = cluster.gateway

    def write() -> None:
        fresh = PrivateCloudGateway.objects.select_for_update(no_key=True).get(pk=gateway.pk)
        if fresh.state in (GatewayState.PROVISIONING, GatewayState.ERROR):
            reopen_gateway(fresh, cluster)
            announce_subject(fresh.subject)

    sentence = f"The gateway {gateway} is reset. It can be configured again."
    note = Note(Severity.INFO, "GatewayReset", sentence, object_kind="gateway", object_name=gateway.name)
    return Done("The gateway is Pending, and the wizard is open.", (note,), write)


def ensure_replacement_planned(context: StepContext) -> Outcome:
    """Back to the old release, or on to the newer one if the last old node left in the meantime."""
    cluster = _cluster(context)
    old, newer = (_release(context.arguments[name]) for name in ("release", "newer"))
    target = old if can_go_back(cluster, old, newer) else newer
    context.still_mine()
    steps = replacement_steps(cluster, target, after=(context.key,))
    if target == old:
        return Done(f"The nodes go back to release {old}.", add_steps=tuple(steps))

    def write() -> None:
        PrivateCloudGateway.objects.filter(pk=cluster.gateway_id).update(upgrading_to=newer)

    sentence = f"The last node of release {old} had left already: the upgrade to {newer} is finished instead."
    note = Note(Severity.WARNING, "UpgradeGoesOn", sentence, "gateway", cluster.gateway.name)
    return Done(sentence, (note,), write, tuple(steps))


def ensure_gateway_has_release(context: StepContext) -> Outcome:
    """All nodes are of the release: the gateway takes requests again."""
    cluster, release = _cluster(context), _release(context.arguments["release"])
    gateway = cluster.gateway

    def write() -> None:
        fresh = PrivateCloudGateway.objects.select_for_update(of=("self",), no_key=True).get(pk=gateway.pk)
        if fresh.upgrading_to_id == release.pk:
            fresh.release, fresh.upgrading_to = release, None
            fresh.save(update_fields=["release", "upgrading_to"])
            announce_subject(fresh.subject)

    is_back = gateway.release_id == release.pk
    reason, word = ("GatewayRolledBack", "is back at") if is_back else ("GatewayUpgraded", "has")
    sentence = f"The gateway {gateway} {word} release {release}, and takes requests for clusters again."
    note = Note(Severity.INFO, reason, sentence, object_kind="gateway", object_name=gateway.name)
    return Done(f"All nodes are of release {release}.", (note,), write)


def _release(version: str) -> GatewayRelease:
    return GatewayRelease.objects.get(version=version)


def ensure_gateway_deleted(context: StepContext) -> Outcome:
    """Nothing of its cluster is left: what only the gateway used goes with it."""
    cluster = _cluster(context)
    gateway = cluster.gateway
    by = Operation.objects.select_related("requested_by").get(pk=context.operation_id).requested_by

    def write() -> None:
        fresh = PrivateCloudGateway.objects.select_for_update(of=("self",), no_key=True).get(pk=gateway.pk)
        if fresh.state == GatewayState.DELETING:
            finish_deletion(fresh, by=by)

    note = Note(Severity.INFO, "GatewayDeleted", farewell(gateway), "gateway", gateway.name)
    return Done("The gateway is deleted.", (note,), write)


def _is_leaving(cluster: Cluster) -> bool:
    """A reset came while the step ran."""
    return not Cluster.objects.filter(pk=cluster.pk, state=ClusterState.PROVISIONING).exists()


def _cluster(context: StepContext) -> Cluster:
    rows = Cluster.objects.select_related("gateway").filter(purpose=ClusterPurpose.GATEWAY)
    return rows.get(pk=context.subject.id)
