"""What vCenter shows of machines that should run: powered off, gone, or changed by hand is told at once."""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from clusters.actions.health import judge_cluster, watching_since
from clusters.models import Machine
from clusters.troubles import POWERED_ON, should_run
from palette_portal.orchestration.actions import announce_subject, record_event
from palette_portal.orchestration.models import Severity


@dataclass(frozen=True)
class Observation:
    """Of one virtual machine; numbers are 0 while vCenter does not say."""

    name: str
    power_state: str
    num_cpus: int = 0
    memory_mib: int = 0


@transaction.atomic
def note_observation(*, machine_id: UUID, seen: Observation) -> None:
    """Seeing the same again changes nothing."""
    machine = _lock(machine_id)
    if machine is None:
        return
    before = (machine.power_state, machine.drift, machine.missing_since)
    drift = _drift(machine, seen)
    if before == (seen.power_state, drift, None):
        return
    if drift and drift != machine.drift:
        _tell(machine, Severity.WARNING, "MachineChanged", f"{drift} Somebody changed it in vCenter.")
    _tell_power(machine, seen)
    machine.power_state, machine.drift, machine.missing_since = seen.power_state, drift, None
    _save(machine)


@transaction.atomic
def note_missing(*, machine_id: UUID) -> None:
    machine = _lock(machine_id)
    if machine is None or machine.missing_since is not None:
        return
    machine.missing_since = timezone.now()
    _save(machine)


def note_found_again(*, machine_id: UUID, moid: str) -> None:
    """It was taken out of vCenter's inventory and registered again: same machine, new id there."""
    Machine.objects.filter(pk=machine_id).exclude(moid=moid).update(moid=moid)


def _lock(machine_id: UUID) -> Machine | None:
    """None when nobody expects it to run (any more): an operation is at work on it."""
    rows = Machine.objects.select_for_update(of=("self",)).select_related("cluster__gateway", "pool")
    machine = rows.filter(pk=machine_id).first()
    return machine if machine and should_run(machine) else None


def _drift(machine: Machine, seen: Observation) -> str:
    pool = machine.pool
    if machine.generation != pool.generation:
        return machine.drift  # it is about to be replaced, and its old size is not known
    parts = []
    if seen.num_cpus not in (0, pool.num_cpus):
        parts.append(f"{seen.num_cpus} vCPU instead of {pool.num_cpus}")
    if seen.memory_mib not in (0, pool.memory_mib):
        parts.append(f"{seen.memory_mib} MiB of memory instead of {pool.memory_mib}")
    if seen.name != machine.name:
        parts.append(f"the name {seen.name}")
    return f"{machine.name} has {' and '.join(parts)}." if parts else ""


def _tell_power(machine: Machine, seen: Observation) -> None:
    """That it is off is told as the cluster's trouble; that it is on again only where it was off."""
    if machine.power_state not in ("", POWERED_ON) and seen.power_state == POWERED_ON:
        _tell(machine, Severity.INFO, "PoweredOnAgain", f"{machine.name} is powered on again.")


def _save(machine: Machine) -> None:
    machine.save(update_fields=["power_state", "drift", "missing_since"])
    cluster = machine.cluster
    announce_subject(cluster.subject)
    judge_cluster(cluster, list(cluster.machines.all()), watching_since=watching_since())


def _tell(machine: Machine, severity: Severity, reason: str, message: str) -> None:
    record_event(
        subject=machine.cluster.subject,
        severity=severity,
        reason=reason,
        message=message,
        object_kind="machine",
        object_name=machine.name,
    )
