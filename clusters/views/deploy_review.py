"""The last page of the deploy wizard: the review, its live checks, its export, and Deploy."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clusters.deploy.accounts import account_of
from clusters.deploy.checks import check_deployment
from clusters.deploy.deploying import DeploymentRefused, deploy_draft
from clusters.deploy.export import document_of, file_name_of, repeat_command, secrets_of
from clusters.deploy.offers import NO_OFFER, Offer, cached_offer, get_offer
from clusters.deploy.request import request_of
from clusters.deploy.review import Review
from clusters.deploy.wizard import PAGES, REVIEW, find_page
from clusters.models import DeployDraft
from clusters.views.deploy_visit import Visit, cluster_url, get_visit
from palette_portal.http import Conflict
from palette_portal.tenants.requests import signed_in
from palette_portal.vsphere.errors import VSphereError

REPORT = "clusters/_deploy_report.html"


def show_review(visit: Visit, *, status: int = 200, **context: Any) -> HttpResponse:
    """What is known without vCenter; the rest comes when it has answered."""
    draft = visit.draft
    if "wait" in visit.request.GET:
        context |= _checked(draft)
    return visit.render(status=status, **{**_planned(draft, _known_offer(draft)), **context})


@never_cache
@require_safe
@login_required
def deploy_report(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    visit = get_visit(request, draft_id, REVIEW)
    if url := visit.elsewhere:
        return visit.to(url)
    return visit.render_part(REPORT, **{**_planned(visit.draft, NO_OFFER), **_checked(visit.draft)})


@never_cache
@require_safe
@login_required
def deploy_export(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """The review as JSON, for the records and for the command that repeats it."""
    visit = get_visit(request, draft_id, REVIEW)
    if url := visit.elsewhere:
        return visit.to(url)
    document = document_of(visit.draft, Review(request_of(visit.draft), _known_offer(visit.draft)))
    response = HttpResponse(json.dumps(document, indent=2) + "\n", content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{file_name_of(visit.draft)}"'
    return response


@require_POST
@login_required
def deploy_confirm(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    visit = get_visit(request, draft_id, REVIEW)
    if url := cluster_url(visit.draft):
        messages.info(request, "This cluster is being deployed already.")
        return visit.to(url)
    if url := visit.elsewhere:
        return visit.to(url)
    try:
        cluster = deploy_draft(draft=visit.draft, by=signed_in(request))
    except DeploymentRefused as refused:
        page = find_page(refused.page) or PAGES[0]
        return show_review(
            visit, status=422, refused=refused, refused_page=page, refused_url=page.url(visit.draft)
        )
    return visit.to(reverse("clusters:detail", args=[cluster.pk]))


def _known_offer(draft: DeployDraft) -> Offer:
    account = account_of(draft)
    return (cached_offer(account) if account else None) or NO_OFFER


def _planned(draft: DeployDraft, offer: Offer) -> dict[str, Any]:
    try:
        review = Review(request_of(draft), offer)
    except Conflict as conflict:
        return {"unplanned": conflict.reason}
    return {"review": review, "command": repeat_command(draft), "secrets": secrets_of(draft)}


def _checked(draft: DeployDraft) -> dict[str, Any]:
    try:
        request = request_of(draft)
        review = Review(request, get_offer(request.cloud_account))
        finding = check_deployment(review)
    except Conflict as conflict:
        return {"unplanned": conflict.reason}
    except VSphereError as error:
        return {"error": error}
    return {"review": review, "finding": finding, "minutes": review.minutes(imports=finding.imports_image)}
