"""What a node says of itself becomes facts on its machine, an event, and a ring for the step that waits."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from clusters.models import Cluster, ClusterLayer, Machine
from clusters.phases import FAILED, HEARTBEAT, rank
from palette_portal.orchestration.actions import announce_subject, record_event, ring
from palette_portal.orchestration.models import Severity

_EVENTS = {
    "booted": ("NodeBooted", "{name} has booted."),
    "control-plane-ready": ("ControlPlaneReady", "The control plane answers on {name}."),
    "joined": ("NodeJoined", "{name} joined the cluster."),
    "packs-applied": ("PacksApplied", "{name} applied the cluster's packs."),
    "ready": ("NodeReady", "{name} is ready."),
    FAILED: ("NodeBootstrapFailed", "{name} could not set itself up."),
}


@dataclass(frozen=True)
class Report:
    phase: str
    message: str = ""
    addresses: tuple[str, ...] = ()
    kubelet_version: str = ""


def record_report(*, machine: Machine, report: Report) -> None:
    """Take a report. One that comes twice, late or out of order changes nothing but the time."""
    if report.phase == HEARTBEAT:
        _record_heartbeat(machine, report)
    else:
        cluster = _record_phase(machine, report)
        # By itself: the whole cluster's nodes ring it, and would wait for each other's reports.
        ring(cluster.wake_reference)


def _record_heartbeat(machine: Machine, report: Report) -> None:
    kubelet = {"kubelet_version": report.kubelet_version} if report.kubelet_version else {}
    Machine.objects.filter(pk=machine.pk).update(last_report_at=timezone.now(), **kubelet)


@transaction.atomic
def _record_phase(machine: Machine, report: Report) -> Cluster:
    # Before the row's lock: the engine, too, locks what is waited for before it writes our rows.
    ring(machine.wake_reference)
    machine = Machine.objects.select_for_update(of=("self",)).select_related("cluster").get(pk=machine.pk)
    is_news = _is_news(machine, report)
    machine.last_report_at = timezone.now()
    machine.kubelet_version = report.kubelet_version or machine.kubelet_version
    machine.ip_address = _address(machine, report)
    if is_news:
        machine.phase, machine.phase_message = report.phase, report.message
    machine.save(update_fields=["last_report_at", "kubelet_version", "ip_address", "phase", "phase_message"])
    if is_news:
        _tell(machine, report)
    if report.phase == "packs-applied":
        fresh = ClusterLayer.objects.filter(cluster=machine.cluster, applied_at=None)
        fresh.update(applied_at=timezone.now())
    return machine.cluster


def _is_news(machine: Machine, report: Report) -> bool:
    if report.phase == FAILED:
        return (machine.phase, machine.phase_message) != (FAILED, report.message)
    return rank(report.phase) > rank(machine.phase)


def _address(machine: Machine, report: Report) -> str | None:
    """The address we know stays while the node has it: virtual IP and pod addresses are further ones."""
    if machine.ip_address in report.addresses or not report.addresses:
        return machine.ip_address
    return machine.ip_address or report.addresses[0]


def _tell(machine: Machine, report: Report) -> None:
    reason, sentence = _EVENTS[report.phase]
    announce_subject(machine.cluster.subject)
    record_event(
        subject=machine.cluster.subject,
        severity=Severity.ERROR if report.phase == FAILED else Severity.INFO,
        reason=reason,
        message=f"{sentence.format(name=machine.name)} {report.message}".strip(),
        object_kind="machine",
        object_name=machine.name,
    )
