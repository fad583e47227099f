"""What brings a gateway's nodes to one release, whatever an earlier attempt left."""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from clusters.actions.machines import add_machine_rows
from clusters.changes import gone_key, remove_machines_plan, replace_machines_plan
from clusters.models import Cluster, Machine, PoolRole
from clusters.plan import step_spec
from clusters.states import MachineState
from gateways.models import GatewayRelease
from palette_portal.orchestration.models import Step
from palette_portal.orchestration.steps import StepSpec

IMAGE, VERSION, LEFT = "release-image", "release-version", "left:"
GATEWAY_UPGRADED = "gateway-upgraded"
CLONED = "clusters.steps.machines.ensure_machine_cloned"
LEAVES = "clusters.steps.membership.ensure_node_removed"


@dataclass(frozen=True)
class Nodes:
    """A gateway's machines, as one release sees them."""

    keep: tuple[Machine, ...]
    old: tuple[Machine, ...]
    # Planned for the release, and nothing was made for them yet.
    planned: tuple[Machine, ...]
    # Half made, or half gone: nothing can be built on them.
    left: tuple[Machine, ...]


def nodes_for(body: Cluster, release: GatewayRelease) -> Nodes:
    found: dict[str, list[Machine]] = {"keep": [], "old": [], "planned": [], "left": []}
    leaving, begun = _begun(body, LEAVES), _begun(body, CLONED)
    machines = Machine.objects.present().filter(cluster=body).select_related("pool", "cluster")
    for machine in machines.order_by("index"):
        found[_kind(machine, release, leaving=leaving, begun=begun)].append(machine)
    return Nodes(**{kind: tuple(machines) for kind, machines in found.items()})


def _kind(machine: Machine, release: GatewayRelease, *, leaving: set[UUID], begun: set[UUID]) -> str:
    is_of_release = has_release(machine, release)
    if machine.state == MachineState.PENDING and machine.pk not in begun and is_of_release:
        return "planned"
    if machine.running_at is None or machine.state == MachineState.DELETING or machine.pk in leaving:
        return "left"
    return "keep" if is_of_release else "old"


def has_release(machine: Machine, release: GatewayRelease) -> bool:
    made_of = (machine.kubernetes_version, machine.image_template)
    return made_of == (release.kubernetes_version, release.image_template)


def _begun(body: Cluster, function: str) -> set[UUID]:
    """The machines for which such a step was begun, by whatever operation."""
    steps = Step.objects.of(body.subject).filter(function=function, first_started_at__isnull=False)
    return {UUID(machine_id) for machine_id in steps.values_list("arguments__machine", flat=True)}


@transaction.atomic
def replacement_steps(
    body: Cluster, release: GatewayRelease, *, after: tuple[str, ...] = ()
) -> list[StepSpec]:
    """Make the machines that are missing, too. Planned again after a crash, the plan is the same."""
    fresh = {"kubernetes_version": release.kubernetes_version, "image_template": release.image_template}
    Cluster.objects.filter(pk=body.pk).update(**fresh)
    pool = body.machine_pools.select_related("cluster").get(role=PoolRole.CONTROL_PLANE)
    nodes = nodes_for(body, release)
    wanted = pool.size - len(nodes.keep)
    new = [*nodes.planned[:wanted], *add_machine_rows(pool, max(0, wanted - len(nodes.planned)))]
    left = [*nodes.left, *nodes.planned[wanted:]]
    steps = _image(release, new, after=after)
    before = [step.key for step in steps] or list(after)
    steps += remove_machines_plan(body, left, after=before, prefix=LEFT)
    before = [gone_key(machine) for machine in left] or before
    steps += replace_machines_plan(pool, nodes.old, new, after=before) or _version(release, before)
    return [*steps, _finish(release, [*after, *(step.key for step in steps)])]


def _image(release: GatewayRelease, new: list[Machine], *, after: tuple[str, ...]) -> list[StepSpec]:
    """Before the cluster is told anything: without the image it stays as it is."""
    if not new:
        return []
    title, ids = f"Find the image of release {release}", [str(machine.pk) for machine in new]
    return [step_spec(IMAGE, title, "images.ensure_image_template_found", after, machines=ids)]


def _version(release: GatewayRelease, after: list[str]) -> list[StepSpec]:
    """No node is exchanged, but the cluster may have been told another version."""
    title, function = "Tell the cluster its version", "membership.ensure_kubernetes_version"
    return [step_spec(VERSION, title, function, after, version=release.kubernetes_version)]


def _finish(release: GatewayRelease, after: list[str]) -> StepSpec:
    return StepSpec(
        key=GATEWAY_UPGRADED,
        title=f"Finish with release {release}",
        function="gateways.steps.ensure_gateway_has_release",
        arguments={"release": release.version},
        depends_on=tuple(after),
    )
