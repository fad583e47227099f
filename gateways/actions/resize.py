"""Resize: two more nodes join a gateway of one, which goes on serving. There is no way back."""

from django.db import transaction

from clusters.actions.changing import begin_change
from clusters.actions.machines import add_machine_rows
from clusters.changes import add_machines_plan, ready_key
from clusters.models import Cluster, MachinePool, PoolRole
from clusters.states import check_changeable
from gateways.models import PrivateCloudGateway
from gateways.prerequisites.report import Line
from gateways.room import more_addresses, room_for
from gateways.states import check_resizable
from ippools.actions import reserve
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import announce_subject
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants import audit
from palette_portal.tenants.models import User

LARGE = 3


class NoRoom(Conflict):
    """More nodes do not fit; `lines` say what is missing."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        failed = [f"{line.object_name}: {line.sentence}" for line in lines if line.level == "failed"]
        super().__init__(" ".join(failed))


def check_resize(gateway: PrivateCloudGateway, size: int = LARGE) -> Cluster:
    """The gateway's cluster. Raise Conflict with the reason."""
    check_resizable(gateway, size)
    body = Cluster.objects.gateway_bodies().filter(gateway=gateway).select_related("cloud_account").first()
    if body is None:
        raise Conflict("The gateway has no cluster.")
    check_changeable(body)
    active = Operation.objects.of(body.subject).active().first()
    if active is not None:
        raise Conflict(f"Another operation on the gateway is running: {active.get_kind_display().lower()}.")
    return body


def room_to_resize(gateway: PrivateCloudGateway, body: Cluster, size: int = LARGE) -> list[Line]:
    """What the two more nodes need, and whether it is there: asks vCenter, within a time limit."""
    return room_for(body, _masters(body), nodes=size - gateway.size)


def resize_gateway(*, gateway: PrivateCloudGateway, by: User, size: int = LARGE) -> Operation:
    """Raise Conflict, or NoRoom after vCenter was asked."""
    lines = room_to_resize(gateway, check_resize(gateway, size), size)
    if any(line.level == "failed" for line in lines):
        raise NoRoom(lines)
    return _resize(gateway, size, by)


@transaction.atomic
def _resize(gateway: PrivateCloudGateway, size: int, by: User) -> Operation:
    rows = PrivateCloudGateway.objects.select_related("tenant").select_for_update(of=("self",), no_key=True)
    gateway = rows.get(pk=gateway.pk)
    body = check_resize(gateway, size)
    pool = _masters(body)
    if pool.ip_pool:
        reserve({pool.ip_pool: more_addresses(size - gateway.size)}, cluster_id=body.pk)
    new = add_machine_rows(pool, size - gateway.size)
    MachinePool.objects.filter(pk=pool.pk).update(size=size)
    finish = StepSpec(
        key="gateway-resized",
        title="Give the gateway its new size",
        function="gateways.steps.ensure_gateway_resized",
        arguments={"size": size},
        depends_on=tuple(ready_key(machine) for machine in new),
    )
    steps = [*add_machines_plan(body, new), finish]
    operation = begin_change(body, steps, kind=OperationKind.RESIZE, by=by)
    announce_subject(gateway.subject)
    _audit(gateway, body, by, size=size)
    return operation


def _masters(body: Cluster) -> MachinePool:
    return body.machine_pools.select_related("ip_pool", "cluster").get(role=PoolRole.CONTROL_PLANE)


def _audit(gateway: PrivateCloudGateway, body: Cluster, by: User, *, size: int) -> None:
    audit.record(
        by=by,
        action="resize",
        obj_kind="gateway",
        obj_id=gateway.pk,
        obj_name=gateway.display_name,
        tenant=gateway.tenant,
        cluster=str(body.pk),
        before=gateway.size,
        after=size,
    )
