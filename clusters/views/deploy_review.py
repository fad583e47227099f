"""The last page of the deploy wizard: the review, the check that it waits for, its export, and Deploy."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clusters.deploy.checks import check_draft, needs_check, report_of
from clusters.deploy.deploying import DeploymentRefused, deploy_draft
from clusters.deploy.export import document_of, file_name_of
from clusters.deploy.request import request_of
from clusters.deploy.review import Review
from clusters.deploy.review_page import review_context
from clusters.deploy.wizard import PAGES, REVIEW, find_page
from clusters.views.deploy_visit import Visit, cluster_url, get_visit
from gateways.check_limits import check_allowed
from palette_portal.http import is_partial
from palette_portal.tenants.requests import signed_in


def show_review(visit: Visit, *, status: int = 200, **context: Any) -> HttpResponse:
    return visit.render(status=status, **{**review_context(visit.draft), **context})


@require_POST
@login_required
def deploy_check(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Check the prerequisites of what the draft says; the page shows how far it is."""
    visit = get_visit(request, draft_id, REVIEW)
    if url := visit.elsewhere:
        return visit.to(url)
    by, again = signed_in(request), "again" in request.POST
    if again or needs_check(report_of(visit.draft)):
        check_allowed(by=by, server=request_of(visit.draft).cloud_account.vcenter_server)
    check_draft(visit.draft, by=by, again=again)
    if is_partial(request):
        return visit.render_part("clusters/_deploy_checked.html", **review_context(visit.draft))
    return visit.to(visit.page.url(visit.draft))


@never_cache
@require_safe
@login_required
def deploy_export(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """The review as JSON, for the records and for the command that repeats it."""
    visit = get_visit(request, draft_id, REVIEW)
    if url := visit.elsewhere:
        return visit.to(url)
    document = document_of(visit.draft, Review(request_of(visit.draft)), report_of(visit.draft))
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
        return _refused(visit, refused)
    return visit.to(reverse("clusters:detail", args=[cluster.pk]))


def _refused(visit: Visit, refused: DeploymentRefused) -> HttpResponse:
    page = find_page(refused.page) or PAGES[0]
    elsewhere = {"refused_page": page, "refused_url": page.url(visit.draft)} if page != visit.page else {}
    return show_review(visit, status=422, refused=refused, **elsewhere)
