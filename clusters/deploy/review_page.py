"""What the review shows, for its page and for the stream."""

from typing import Any

from django.urls import reverse

from clusters.deploy.checks import needs_check, reason_against, report_of
from clusters.deploy.export import repeat_command, secrets_of
from clusters.deploy.offers import cached_offer
from clusters.deploy.request import request_of
from clusters.deploy.review import IMPORT_MINUTES, Review
from clusters.models import DeployDraft
from gateways.models import CloudAccount, PrerequisiteReport
from gateways.prerequisites.report import Report
from gateways.report_pages import report_context
from palette_portal.http import Conflict


def review_context(draft: DeployDraft) -> dict[str, Any]:
    report = report_of(draft)
    try:
        request = request_of(draft)
    except Conflict as conflict:
        return {"unplanned": conflict.reason, "deploy_denied": conflict.reason}
    review = Review(request, known_memory(request.cloud_account, report))
    shown = report_context(report) if report else {}
    return {
        "review": review,
        "command": repeat_command(draft),
        "secrets": secrets_of(draft),
        "needs_check": needs_check(report),
        "deploy_denied": reason_against(report),
        "check_url": reverse("clusters:deploy-check", args=[draft.pk]),
        "stream_url": f"/streams/deploy/{draft.pk}/{report.pk}/" if report else "",
        **shown,
        **_outlook(review, shown.get("found")),
    }


def known_memory(account: CloudAccount, report: PrerequisiteReport | None) -> dict[str, int]:
    """What the report found free, else what the wizard read a moment ago."""
    if report and (found := Report.from_json(report.content).free_memory_mib):
        return dict(found)
    offer = cached_offer(account)
    return {moid: capacity.free_memory_mib for moid, capacity in offer.capacities.items()} if offer else {}


def _outlook(review: Review, found: Report | None) -> dict[str, Any]:
    """How long it may take. Whether the image has to be imported first is known when it was looked for."""
    is_there = found.image_is_there if found else None
    can_import = bool(review.request.image_url)
    return {
        "minutes": review.minutes(imports=can_import and is_there is False),
        "image_is_there": is_there,
        "imports_image": can_import and is_there is False,
        "import_minutes": IMPORT_MINUTES if can_import and is_there is None else 0,
    }
