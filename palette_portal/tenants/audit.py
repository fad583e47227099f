"""The one writer of the audit log: a deed and its row are committed together or not at all."""

from typing import Any
from uuid import UUID

from django.db import transaction

from palette_portal.tenants.models import AuditRow, Project, Tenant, User


def record(
    *,
    by: User | None,
    action: str,
    obj_kind: str,
    obj_id: UUID | int | str,
    obj_name: str,
    tenant: Tenant,
    project: Project | None = None,
    **detail: Any,
) -> AuditRow:
    """Write who did what. `by` is None where the portal acts of itself; `detail` holds plain JSON values."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("An audit row belongs to the transaction of the deed: open one first.")
    return AuditRow.objects.create(
        tenant=tenant,
        project=project,
        user=by,
        action=action,
        object_kind=obj_kind,
        object_id=str(obj_id),
        object_name=obj_name,
        detail=detail,
    )
