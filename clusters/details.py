"""What the parts of the Cluster Details page show; the page and the stream render the same."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, Value
from django.db.models.functions import Coalesce

from clusters.actions.changing import CHANGES, is_what_a_stop_left
from clusters.actions.queue import Place, places_of
from clusters.conditions import conditions_of
from clusters.layers import packs_of, stack_of
from clusters.leaving import leftovers_context
from clusters.models import Cluster, ClusterPurpose, ClusterSecrets, Machine, MachinePool
from clusters.states import ClusterState, check_changeable, why_not
from clusters.views.loading import Rights
from gateways.releases import next_release, published_releases
from palette_portal.orchestration.actions import OperationActive
from palette_portal.orchestration.models import OperationState
from palette_portal.orchestration.progress import Progress, latest_progress


def progress_of_cluster(cluster: Cluster) -> Progress | None:
    return latest_progress("cluster", [cluster.pk]).get(cluster.pk)


def head_context(cluster: Cluster) -> dict[str, Any]:
    """The title row, the run bar and what is said beside the steps."""
    progress = progress_of_cluster(cluster)
    shown = {
        "cluster": cluster,
        "progress": progress,
        "place": _place(cluster, progress),
        "can_stop": _can_stop(cluster, progress),
    }
    if cluster.purpose == ClusterPurpose.GATEWAY and cluster.state == ClusterState.RUNNING:
        return {**shown, "upgrade_to": next_release(cluster.gateway, published_releases())}
    return shown


def _can_stop(cluster: Cluster, progress: Progress | None) -> bool:
    is_running = cluster.purpose == ClusterPurpose.TENANT and cluster.state == ClusterState.RUNNING
    if progress is None or not is_running or not progress.operation.is_active:
        return False
    is_change = progress.operation.kind in CHANGES
    return is_change and not is_what_a_stop_left(shown.step for shown in progress.steps)


def _place(cluster: Cluster, progress: Progress | None) -> Place | None:
    if progress is None or progress.operation.state != OperationState.QUEUED:
        return None
    return places_of([cluster.pk]).get(cluster.pk)


def overview_context(cluster: Cluster, *, rights: Rights) -> dict[str, Any]:
    head = head_context(cluster)
    return {
        **head,
        **aside_context(cluster, head["progress"], rights),
        **leftovers_context(cluster, rights),
        "retry_denied": rights.change,
    }


def aside_context(cluster: Cluster, progress: Progress | None, rights: Rights) -> dict[str, Any]:
    """All of the overview but the head, the steps and what is left: it changes with what nodes report."""
    stack = stack_of(cluster)
    ip_pool_name = Coalesce("ip_pool__name", Value(""))
    pools = list(cluster.machine_pools.annotate(ip_pool_name=ip_pool_name).prefetch_related("placements"))
    machines = _machines_of(cluster, pools)
    packs = packs_of(cluster, stack.layers, machines)
    roles = _roles(cluster, progress, machines)
    return {
        "cluster": cluster,
        "machines": machines,
        "packs": packs,
        "conditions": conditions_of(cluster, progress, roles=roles, packs=packs),
        "pools": pools,
        "certificates_expire_at": _certificates_expire_at(cluster),
        "profiles": stack.profiles,
        "update_reason": change_reason(cluster, progress, rights),
    }


def _machines_of(cluster: Cluster, pools: Sequence[MachinePool]) -> list[Machine]:
    """Masters first. The pools are there already: no join, and none of a pool that was just added."""
    by_id = {pool.pk: pool for pool in pools}
    machines = list(cluster.machines.present().filter(pool__in=by_id).order_by())
    for machine in machines:
        machine.pool = by_id[machine.pool_id]
    return sorted(machines, key=lambda machine: (machine.pool.role, machine.index))


def _roles(cluster: Cluster, progress: Progress | None, machines: Sequence[Machine]) -> dict[str, str]:
    """By the names of machines, also of those that are gone and have steps."""
    present = {machine.name: machine.pool.role for machine in machines}
    if progress is None or all(group.name in present or not group.name for group in progress.groups):
        return present
    return dict(cluster.machines.values_list("name", "pool__role"))


def _certificates_expire_at(cluster: Cluster) -> datetime | None:
    """Without reading the secrets themselves."""
    return (
        ClusterSecrets.objects.filter(cluster=cluster)
        .values_list("certificates_expire_at", flat=True)
        .first()
    )


def change_reason(cluster: Cluster, progress: Progress | None, rights: Rights) -> str:
    """Why no change of it can begin now, as check_can_begin says, on what the page knows already."""
    if reason := rights.change or why_not(check_changeable, cluster):
        return reason
    is_busy = progress is not None and progress.operation.is_active
    return OperationActive(cluster.subject).reason if is_busy else ""


def nodes_context(cluster: Cluster, progress: Progress | None, rights: Rights) -> dict[str, Any]:
    """The machines of each pool as `shown_machines`; pools without any as well."""
    reason = change_reason(cluster, progress, rights)
    machines = Machine.objects.present().select_related("placement").order_by("index")
    shown = Prefetch("machines", machines, to_attr="shown_machines")
    pools = cluster.machine_pools.prefetch_related(shown)
    offers = cluster.purpose == ClusterPurpose.TENANT and cluster.state != ClusterState.DELETED
    return {"cluster": cluster, "pools": pools, "change_reason": reason, "offers_changes": offers}
