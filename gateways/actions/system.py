"""The system gateway of each tenant: the portal's own workers, for vCenters that they reach directly."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.orchestration.actions import announce_subject, record_event
from palette_portal.orchestration.models import Severity
from palette_portal.orchestration.worker_signs import workers_listening
from palette_portal.tenants.models import Tenant

# No installer may be called so: a name that it brings along has no space and no capital letter.
SYSTEM_GATEWAY = "System gateway"
LONGEST_SILENCE = timedelta(minutes=1)
SILENT = (
    "No worker of the portal answers, so nothing is done for its clusters. "
    "Ask the portal's operator to look at the worker processes."
)


def ensure_system_gateway(tenant: Tenant) -> PrivateCloudGateway:
    """There from the start of the tenant; a second call changes nothing."""
    gateway, _ = PrivateCloudGateway.objects.get_or_create(
        tenant=tenant,
        is_system=True,
        defaults={
            "name": SYSTEM_GATEWAY,
            "state": GatewayState.RUNNING,
            "running_at": timezone.now(),
        },
    )
    return gateway


def workers_are_silent(gateway: PrivateCloudGateway) -> bool:
    """Also when nobody is there to tell."""
    heard_at = gateway.last_heartbeat_at or gateway.created_at
    return bool(gateway.error) or timezone.now() - heard_at > LONGEST_SILENCE


def watch_system_gateways() -> None:
    """Called by a schedule: every tenant has one, and whether the workers live is known of each."""
    for tenant in Tenant.objects.exclude(gateways__is_system=True):
        ensure_system_gateway(tenant)
    alive = workers_listening() > 0
    for gateway in PrivateCloudGateway.objects.filter(is_system=True):
        _note(gateway, alive=alive)


@transaction.atomic
def _note(gateway: PrivateCloudGateway, *, alive: bool) -> None:
    """Workers that start again are away for a moment: only a longer silence is told, and once."""
    now, rows = timezone.now(), PrivateCloudGateway.objects.filter(pk=gateway.pk, error=gateway.error)
    if alive:
        is_news = bool(rows.update(last_heartbeat_at=now, error="") and gateway.error)
        _tell(gateway, Severity.INFO, "Healthy", "The portal's workers answer again.", is_news)
    elif workers_are_silent(gateway) and not gateway.error:
        is_news = bool(rows.update(error=SILENT))
        _tell(gateway, Severity.ERROR, "Unhealthy", SILENT, is_news)


def _tell(gateway: PrivateCloudGateway, severity: Severity, word: str, message: str, is_news: bool) -> None:
    if not is_news:
        return
    announce_subject(gateway.subject)
    record_event(
        subject=gateway.subject,
        severity=severity,
        reason=f"Gateway{word}",
        message=message,
        object_kind="gateway",
        object_name=gateway.display_name,
    )
