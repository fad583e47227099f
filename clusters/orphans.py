"""Machines on a vCenter that carry our marks and belong to nobody here any more; and what only looks so."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from clusters.documents import CLUSTER_MARK, MACHINE_MARK
from clusters.models import Machine
from clusters.states import MachineState
from gateways.logins import check_login, note_refusal
from gateways.models import CloudAccount
from gateways.time_limit import within
from palette_portal.vsphere.errors import Unreachable, VSphereError
from palette_portal.vsphere.machines.marked import MarkedMachine, find_marked
from palette_portal.vsphere.session import Credentials, sessions

# A person waits for the answer.
LIMIT_SECONDS = 30.0
MARKS = (CLUSTER_MARK, MACHINE_MARK)
# Part of every annotation of ours; see clusters.documents.
ANNOTATED = "made by Palette Portal"
# Those whose machines may have lost their annotation: newest first.
KNOWN_AT_MOST = 20_000

Kind = Literal["left", "unknown", "copy"]


@dataclass(frozen=True)
class Orphan:
    vm: MarkedMachine
    kind: Kind
    cluster_name: str

    @property
    def cluster_mark(self) -> str:
        return self.vm.marks[CLUSTER_MARK]

    @property
    def machine_mark(self) -> str:
        return self.vm.marks[MACHINE_MARK]

    @property
    def is_removable(self) -> bool:
        return self.kind != "copy"

    @property
    def sentence(self) -> str:
        match self.kind:
            case "left":
                return f"Left by the deleted cluster {self.cluster_name}."
            case "unknown":
                return "Unknown here. It may belong to another portal: make sure before you remove it."
            case "copy":
                return "A copy that somebody made of a node. The portal leaves it alone."


def find_orphans(account: CloudAccount) -> list[Orphan]:
    """Ask vCenter. Raise VSphereError, or Conflict when too many ask at once."""
    machines = Machine.objects.filter(cluster__tenant=account.tenant_id).order_by("-created_at")
    known = [str(pk) for pk in machines.values_list("pk", flat=True)[:KNOWN_AT_MOST]]
    credentials = account.credentials()
    try:
        check_login(account)
        found = within(LIMIT_SECONDS, lambda: _ask(credentials, known))
    except VSphereError as error:
        note_refusal(account, error)
        raise
    if found is None:
        raise Unreachable(f"{account.vcenter_server} did not answer within {LIMIT_SECONDS:.0f} seconds.")
    return orphans_among(found, tenant_id=account.tenant_id)


def _ask(credentials: Credentials, known: list[str]) -> list[MarkedMachine]:
    vcenter = sessions.get(credentials, ask_again=True)
    return find_marked(vcenter, text=ANNOTATED, instance_uuids=known, keys=MARKS)


def orphans_among(vms: Iterable[MarkedMachine], *, tenant_id: UUID) -> list[Orphan]:
    """Machines of other tenants are not told: not even that they are there."""
    marked = [vm for vm in vms if _is_uuid(vm.marks[MACHINE_MARK]) and _is_uuid(vm.marks[CLUSTER_MARK])]
    rows = Machine.objects.filter(pk__in=[vm.marks[MACHINE_MARK] for vm in marked])
    machines = {str(row.pk): row for row in rows.select_related("cluster")}
    judged = (_judge(vm, machines.get(vm.marks[MACHINE_MARK]), tenant_id) for vm in marked)
    return [orphan for orphan in judged if orphan is not None]


def _judge(vm: MarkedMachine, machine: Machine | None, tenant_id: UUID) -> Orphan | None:
    is_itself = vm.instance_uuid == vm.marks[MACHINE_MARK]
    if machine is None:
        return Orphan(vm, "unknown" if is_itself else "copy", "")
    cluster = machine.cluster
    if cluster.tenant_id != tenant_id or (is_itself and _is_present(machine)):
        return None
    return Orphan(vm, "left" if is_itself else "copy", cluster.name)


def _is_present(machine: Machine) -> bool:
    return machine.state != MachineState.DELETED and machine.cluster.deleted_at is None


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
