"""The last steps of a gateway's cluster: from "the nodes are ready" to "tenant clusters can come"."""

from django.utils import timezone

from clusters.models import Cluster, ClusterPurpose, Machine
from clusters.phases import has_reached
from clusters.states import ClusterHealth, ClusterState
from gateways.actions.delete import farewell, finish_deletion
from gateways.actions.reset import reopen_gateway
from gateways.models import PrivateCloudGateway
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
        fresh = PrivateCloudGateway.objects.select_for_update().get(pk=gateway.pk)
        if fresh.state == GatewayState.PROVISIONING and not _is_leaving(cluster):
            move_gateway(fresh, GatewayState.RUNNING, running_at=timezone.now())
            announce_subject(fresh.subject)

    sentence = f"The gateway {gateway} is running. The installer virtual machine can be powered off now."
    note = Note(Severity.INFO, "GatewayRunning", sentence, object_kind="gateway", object_name=gateway.name)
    return Done("The gateway takes tenant clusters now.", (note,), write)


def ensure_gateway_reset(context: StepContext) -> Outcome:
    """Its cluster is Deleted: the gateway waits for the Configure wizard again."""
    cluster = _cluster(context)
    gateway = cluster.gateway

    def write() -> None:
        fresh = PrivateCloudGateway.objects.select_for_update().get(pk=gateway.pk)
        if fresh.state in (GatewayState.PROVISIONING, GatewayState.ERROR):
            reopen_gateway(fresh, cluster)
            announce_subject(fresh.subject)

    sentence = f"The gateway {gateway} is reset. It can be configured again."
    note = Note(Severity.INFO, "GatewayReset", sentence, object_kind="gateway", object_name=gateway.name)
    return Done("The gateway is Pending, and the wizard is open.", (note,), write)


def ensure_gateway_deleted(context: StepContext) -> Outcome:
    """Nothing of its cluster is left: what only the gateway used goes with it."""
    cluster = _cluster(context)
    gateway = cluster.gateway
    by = Operation.objects.select_related("requested_by").get(pk=context.operation_id).requested_by

    def write() -> None:
        fresh = PrivateCloudGateway.objects.select_for_update(of=("self",)).get(pk=gateway.pk)
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
