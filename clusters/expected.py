"""The machines that vCenter should show as running, by account: what is noticed when it changes by hand."""

from collections.abc import Mapping
from uuid import UUID

from django.db.models import Q, QuerySet

from clusters.actions.observations import Observation, note_found_again, note_missing, note_observation
from clusters.models import Cluster, Machine
from clusters.states import ClusterState, MachineState
from palette_portal.vsphere.machines import find_by_instance_uuid
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.watcher import MachineChanged


def accounts_with_running_machines() -> set[UUID]:
    running = Cluster.objects.filter(state=ClusterState.RUNNING, cloud_account__isnull=False)
    return {pk for pk in running.values_list("cloud_account_id", flat=True).distinct() if pk}


def expected_machines(account_id: UUID) -> Mapping[str, UUID]:
    """By their id in vCenter; those that are missing there come back with another one."""
    rows = _running(account_id).exclude(Q(moid="") | Q(missing_since__isnull=False))
    return dict(rows.values_list("moid", "pk"))


def look_for_missing(vcenter: VCenter, account_id: UUID) -> None:
    missing = _running(account_id).filter(missing_since__isnull=False)
    for machine_id in missing.values_list("pk", flat=True):
        note_gone(vcenter, machine_id)


def note_gone(vcenter: VCenter, machine_id: UUID) -> None:
    """Gone by its id in vCenter: it counts as missing unless its UUID is found under another one."""
    vm = find_by_instance_uuid(vcenter, str(machine_id))
    if vm is None:
        note_missing(machine_id=machine_id)
        return
    note_found_again(machine_id=machine_id, moid=vm.moid)
    seen = Observation(vm.name, vm.power_state, vm.num_cpus, vm.memory_mib)
    note_observation(machine_id=machine_id, seen=seen)


def note_changed(machine_id: UUID, change: MachineChanged) -> None:
    seen = Observation(change.name, change.power_state, change.num_cpus, change.memory_mib)
    note_observation(machine_id=machine_id, seen=seen)


def _running(account_id: UUID) -> "QuerySet[Machine]":
    return Machine.objects.filter(
        cluster__cloud_account=account_id, cluster__state=ClusterState.RUNNING, state=MachineState.RUNNING
    )
