from django.db import transaction

from clusters.models import Cluster
from palette_portal.orchestration.actions import retry_step_now
from palette_portal.orchestration.models import Step
from palette_portal.tenants import audit
from palette_portal.tenants.models import User


@transaction.atomic
def retry_step(*, cluster: Cluster, step: Step, by: User) -> None:
    """Raise CannotRetry when the step waits for no retry (any more)."""
    audit.record(
        by=by,
        action="retry-step",
        obj_kind="cluster",
        obj_id=cluster.pk,
        obj_name=cluster.name,
        tenant=cluster.tenant,
        project=cluster.project,
        step=f"{step.title} ({step.group})" if step.group else step.title,
    )
    retry_step_now(step, by=by)
