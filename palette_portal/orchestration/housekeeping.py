"""What the dispatcher does now and then."""

from datetime import timedelta

from django.db.models.functions import Now

from palette_portal.orchestration.actions import cancel_abandoned_steps
from palette_portal.orchestration.events import archive_old_events
from palette_portal.orchestration.models import Ring

REMEMBER_RINGS = timedelta(hours=1)


def tidy_up() -> None:
    archive_old_events()
    cancel_abandoned_steps()
    Ring.objects.filter(rung_at__lt=Now() - REMEMBER_RINGS).delete()
