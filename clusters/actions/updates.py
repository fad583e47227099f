"""Newer versions of its profiles, other add-on profiles, or other values, for a running cluster.

Nodes that are made from what changes are replaced one after the other, masters first; then the packs are
applied. What is about to happen is planned first, so that a page can show it: see `Update`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction

from clusters.actions.changing import begin_change, lock_for_change, note_in_audit
from clusters.actions.machines import add_machine_rows
from clusters.actions.requests import LayerRequest, StackRequest
from clusters.actions.stacks import check_stack, check_stack_variables, write_stack
from clusters.changes import gone_key, ready_key, replace_machines_plan
from clusters.documents import pack_facts, packs_of
from clusters.models import Cluster, ClusterLayer, ClusterSecrets, Machine, MachinePool
from clusters.plan import step_spec
from clusters.profiles.diffs import Difference, differences
from clusters.profiles.models import LayerKind, ProfileVersion
from clusters.profiles.packs import NoSuchPack
from clusters.profiles.placeholders import NoSuchValue
from clusters.profiles.render import NodeInputs, node_inputs
from clusters.profiles.versions import numbers
from clusters.profiles.yaml_text import Unreadable
from clusters.states import MachineState
from ippools.actions import check_promise
from ippools.reservations import Reservation
from palette_portal.http import Conflict
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants.models import User

PACKS_APPLIED = "packs-applied"
_ONCE = "The {what} of a running cluster cannot change: its pods and nodes were made with it."


@dataclass(frozen=True)
class Update:
    """`manifests` names what the packs apply anew; `removed` are packs whose objects stay in the cluster."""

    inputs: NodeInputs = field(repr=False)
    # What becomes of the profiles themselves, as sentences.
    profiles: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    replaced: tuple[Machine, ...] = ()
    manifests: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.profiles or self.differences or self.replaced or self.manifests)


def plan_update(cluster: Cluster, request: StackRequest) -> Update:
    """Raise Conflict when the cluster cannot become so."""
    known = _profiles_now(cluster)
    _check_versions(cluster, known, request)
    old_layers, new_layers = list(cluster.layers.all()), request.plain_layers
    old, new = _inputs_now(cluster), _inputs_then(cluster, request)
    _check_inputs(old, new, old_layers, request)
    changed = _changed_manifests(old, new)
    is_unfinished = any(layer.applied_at is None for layer in old_layers)
    return Update(
        inputs=new,
        profiles=tuple(_changed_profiles(known, request)),
        differences=tuple(differences(old_layers, new_layers)),
        replaced=tuple(_outdated(cluster, new)),
        manifests=tuple(manifest.name for manifest in new.manifests) if is_unfinished else changed,
        removed=tuple(sorted({row.pack for row in old_layers} - {row.pack for row in new_layers})),
    )


def _profiles_now(cluster: Cluster) -> dict[UUID, ProfileVersion]:
    """The versions by their profile, in order."""
    if cluster.profile_version is None:
        raise Conflict("The cluster was made without a profile.")
    add_ons = cluster.add_ons.select_related("version__profile")
    versions = (cluster.profile_version, *(add_on.version for add_on in add_ons))
    return {version.profile_id: version for version in versions}


def _check_versions(cluster: Cluster, known: Mapping[UUID, ProfileVersion], request: StackRequest) -> None:
    assert cluster.project and cluster.profile_version  # a cluster with a profile is in a project
    if request.version.profile_id != cluster.profile_version.profile_id:
        raise Conflict(f"{request.version} is a version of another profile than the cluster's.")
    for profile in request.profiles:
        old = known.get(profile.version.profile_id)
        if old and profile.version.rank < old.rank:
            raise Conflict(f"{profile.version} is older than the cluster's {old.version}.")
    check_stack(request, cluster.project)
    check_stack_variables(request)


def _changed_profiles(known: Mapping[UUID, ProfileVersion], request: StackRequest) -> Iterator[str]:
    """Sentences about versions, and what is attached, detached and moved."""
    wanted = {profile.version.profile_id: profile.version for profile in request.profiles}
    for key, new in wanted.items():
        if key not in known:
            yield f"{new} is attached."
        elif known[key] != new:
            yield f"{known[key]} becomes {new.version}."
    yield from (f"{old} is detached." for key, old in known.items() if key not in wanted)
    if [key for key in known if key in wanted] != [key for key in wanted if key in known]:
        names = ", ".join(str(version.profile) for version in wanted.values())
        yield f"The order of the profiles becomes {names}."


def _inputs_now(cluster: Cluster) -> NodeInputs:
    inputs = packs_of(cluster)
    assert inputs is not None  # a cluster with a profile has layers
    return inputs


def _inputs_then(cluster: Cluster, request: StackRequest) -> NodeInputs:
    try:
        return node_inputs(request.groups, pack_facts(cluster))
    except (NoSuchPack, NoSuchValue, Unreadable) as error:
        raise Conflict(f"The packs cannot be put together: {error}") from error


def _check_inputs(
    old: NodeInputs, new: NodeInputs, old_layers: Sequence[ClusterLayer], request: StackRequest
) -> None:
    before, after = numbers(old.kubernetes_version), numbers(new.kubernetes_version)
    if after < before:
        raise Conflict(
            f"Kubernetes cannot go back from {old.kubernetes_version} to {new.kubernetes_version}."
        )
    if (after[0], after[1]) > (before[0], before[1] + 1):
        raise Conflict(
            f"Kubernetes goes one minor version at a time: from {old.kubernetes_version} to "
            f"{before[0]}.{before[1] + 1} first."
        )
    for what, changes in (
        ("pod network", old.pod_cidr != new.pod_cidr),
        ("service network", old.service_cidr != new.service_cidr),
        ("network pack", _pack(old_layers) != _pack(request.layers)),
        ("configuration of kubeadm", old.kubeadm != new.kubeadm),
        ("cloud provider", old.external_cloud_provider != new.external_cloud_provider),
    ):
        if changes:
            raise Conflict(_ONCE.format(what=what))


def _pack(layers: Sequence[ClusterLayer | LayerRequest]) -> str:
    return next((layer.pack for layer in layers if layer.kind == LayerKind.NETWORK), "")


def _changed_manifests(old: NodeInputs, new: NodeInputs) -> tuple[str, ...]:
    known = {manifest.name: manifest for manifest in old.manifests}
    return tuple(manifest.name for manifest in new.manifests if known.get(manifest.name) != manifest)


def _outdated(cluster: Cluster, inputs: NodeInputs) -> list[Machine]:
    """Also those that an update which was stopped left as they were."""
    rows = Machine.objects.present().filter(cluster=cluster).exclude(state=MachineState.DELETING)
    machines = rows.select_related("pool__ip_pool", "cluster").order_by("pool__role", "pool__name", "index")
    wanted = (inputs.kubernetes_version, inputs.image_template)
    return [
        machine
        for machine in machines
        if (machine.kubernetes_version, machine.image_template) != wanted
        or machine.generation != machine.pool.generation
    ]


@transaction.atomic
def update_cluster(*, cluster: Cluster, request: StackRequest, by: User) -> Operation:
    """Raise Conflict, PoolExhausted or OperationActive."""
    cluster = lock_for_change(cluster, by=by)
    update = plan_update(cluster, request)
    if update.is_empty:
        raise Conflict(f"Nothing of {cluster} is different.")
    _check_spare_addresses(update)
    _save(cluster, request, update)
    steps = _steps(cluster, update)
    operation = begin_change(cluster, steps, kind=OperationKind.UPDATE, by=by)
    note_in_audit(
        cluster,
        action="update",
        by=by,
        profile=str(request.version),
        add_ons=[str(add_on.version) for add_on in request.add_ons],
        replaced=len(update.replaced),
    )
    return operation


def _check_spare_addresses(update: Update) -> None:
    """The node that comes before another goes needs an address."""
    for pool in {machine.pool for machine in update.replaced}:
        if pool.ip_pool and pool.surge:
            check_promise(pool.ip_pool, Reservation(spare=1))


def _save(cluster: Cluster, request: StackRequest, update: Update) -> None:
    inputs = update.inputs
    Cluster.objects.filter(pk=cluster.pk).update(
        profile_version=request.version,
        kubernetes_version=inputs.kubernetes_version,
        image_template=inputs.image_template,
        image_url=inputs.image_url,
    )
    cluster.refresh_from_db()
    known = {layer.pack: layer for layer in cluster.layers.all()}
    cluster.layers.all().delete()
    cluster.add_ons.all().delete()
    write_stack(
        cluster,
        layers=request.layers,
        add_ons=request.add_ons,
        applied_at=lambda layer: _applied_at(known, layer),
    )
    secrets = ClusterSecrets.objects.select_for_update().get(cluster=cluster)
    secrets.variables = json.dumps(dict(request.variables)) if request.variables else ""
    secrets.save(update_fields=["variables"])


def _applied_at(known: Mapping[str, ClusterLayer], layer: LayerRequest) -> datetime | None:
    before = known.get(layer.pack)
    is_same = before and (before.pack_version, before.values) == (layer.pack_version, layer.values)
    return before.applied_at if before and is_same else None


def _steps(cluster: Cluster, update: Update) -> list[StepSpec]:
    """Masters, then packs, then one worker pool after the other: nothing is newer than its control plane."""
    pools = MachinePool.objects.filter(cluster=cluster).select_related("cluster").order_by("role", "name")
    steps: list[StepSpec] = []
    after: list[str] = []
    for pool in pools:
        if pool.is_worker and not any(step.key == PACKS_APPLIED for step in steps):
            steps += _apply(update, after)
            after = [PACKS_APPLIED]
        renewed, after = _renew(pool, [one for one in update.replaced if one.pool_id == pool.pk], after)
        steps += renewed
    return steps if any(step.key == PACKS_APPLIED for step in steps) else [*steps, *_apply(update, after)]


def _apply(update: Update, after: Sequence[str]) -> list[StepSpec]:
    return [
        step_spec(
            PACKS_APPLIED,
            "Apply packs",
            "packs.ensure_packs_applied",
            after,
            manifests=list(update.manifests),
        )
    ]


def _renew(pool: MachinePool, old: Sequence[Machine], after: list[str]) -> tuple[list[StepSpec], list[str]]:
    if not old:
        return [], after
    new = add_machine_rows(pool, len(old), instead_of=old)
    steps = replace_machines_plan(pool, old, new, after=after)
    return steps, [gone_key(machine) for machine in old] + [ready_key(machine) for machine in new]
