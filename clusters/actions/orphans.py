"""Remove machines that nobody owns any more: reviewed and confirmed by a person, one step for each."""

from collections.abc import Collection, Sequence

from django.db import transaction

from clusters.orphans import Orphan, find_orphans
from gateways.models import CloudAccount
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import start_operation
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants import audit
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, check


def remove_orphans(*, account: CloudAccount, moids: Collection[str], by: User) -> Operation:
    """vCenter is asked again: what a person saw may be old. Raise Denied, Conflict or VSphereError."""
    check(by, Permission.MANAGE_CLOUD_ACCOUNTS, project=account.project)
    found = {orphan.vm.moid: orphan for orphan in find_orphans(account) if orphan.is_removable}
    if not moids or not set(moids) <= set(found):
        raise Conflict("Some of these machines are gone or have an owner. Look at the list again.")
    return _start(account, [found[moid] for moid in sorted(set(moids))], by)


@transaction.atomic
def _start(account: CloudAccount, orphans: Sequence[Orphan], by: User) -> Operation:
    audit.record(
        by=by,
        action="remove-orphans",
        obj_kind="cloud-account",
        obj_id=account.pk,
        obj_name=account.name,
        tenant=account.tenant,
        project=account.project,
        machines=[f"{orphan.vm.path} ({orphan.vm.moid})" for orphan in orphans],
    )
    steps = [_step(orphan) for orphan in orphans]
    return start_operation(kind=OperationKind.CLEAN_UP, subject=account.subject, steps=steps, by=by)


def _step(orphan: Orphan) -> StepSpec:
    return StepSpec(
        key=f"{orphan.vm.moid}/removed",
        title="Remove virtual machine",
        function="clusters.steps.orphans.ensure_orphan_removed",
        arguments={
            "name": orphan.vm.name,
            "machine": orphan.machine_mark,
            "cluster": orphan.cluster_mark,
        },
        group=orphan.vm.name,
    )
