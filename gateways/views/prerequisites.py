"""Reports of prerequisites: started, watched, exported, shared with a link; and what they check, to read."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from gateways.check_limits import check_allowed
from gateways.models import PrerequisiteReport
from gateways.prerequisites.actions import find_shared, link_token, revoke_link, share_report, start_check
from gateways.prerequisites.exports import EXPORTS
from gateways.prerequisites.guide import guide
from gateways.prerequisites.report import Report
from gateways.prerequisites.table import VERSIONS, load_tables
from gateways.report_pages import report_context
from gateways.views.accounts import get_account_for_change
from palette_portal.http import Conflict, is_partial
from palette_portal.tenants.models import Project
from palette_portal.tenants.permissions import Permission, check, check_somewhere, reason_against
from palette_portal.tenants.requests import signed_in
from palette_portal.tenants.shell import belongs_to


@require_POST
@login_required
def account_check(request: HttpRequest, account_id: UUID) -> HttpResponse:
    account = get_account_for_change(request, account_id)
    if not account.password:
        raise Conflict("No password is stored. Edit the account and enter it.")
    check_allowed(by=signed_in(request), server=account.vcenter_server)
    report = start_check(account=account, by=signed_in(request))
    url = reverse("accounts:report", args=[report.pk])
    return HttpResponseClientRedirect(url) if is_partial(request) else redirect(url)


@never_cache
@require_safe
@login_required
def report_page(request: HttpRequest, report_id: UUID) -> HttpResponse:
    report = _get_report(request, report_id)
    belongs_to(request, _pages(report))
    visible = PrerequisiteReport.objects.visible_to(signed_in(request))
    others = visible.filter(cloud_account=report.cloud_account, gateway=report.gateway)
    context = {
        **report_context(report),
        "is_whole_page": True,
        "stream_url": f"/streams/prerequisites/{report.pk}/?page=whole",
        "others": others.exclude(pk=report.pk).select_related("cloud_account", "gateway"),
        "denied": _reason_against_change(request, report),
        "link": request.build_absolute_uri(_shared_url(report)) if report.is_shared else "",
        "crumbs": _crumbs(report),
    }
    return render(request, "gateways/prerequisite_report.html", context)


@require_safe
@login_required
def report_export(request: HttpRequest, report_id: UUID, kind: str) -> HttpResponse:
    return _export(_get_report(request, report_id), kind)


@require_POST
@login_required
def report_share(request: HttpRequest, report_id: UUID) -> HttpResponse:
    report = _get_report_for_change(request, report_id)
    share_report(report=report, by=signed_in(request))
    messages.success(request, "Whoever has the link reads this report for seven days.")
    return redirect("accounts:report", report_id=report.pk)


@require_POST
@login_required
def report_revoke(request: HttpRequest, report_id: UUID) -> HttpResponse:
    report = _get_report_for_change(request, report_id)
    revoke_link(report=report, by=signed_in(request))
    messages.success(request, "The link does not work any more.")
    return redirect("accounts:report", report_id=report.pk)


@never_cache
@require_safe
def shared_report(request: HttpRequest, token: str) -> HttpResponse:
    """For the vSphere administrator, who has no account here."""
    report = _get_shared(token)
    context = {**report_context(report), "token": token, "is_whole_page": True}
    return _for_nobody_else(render(request, "gateways/prerequisite_shared.html", context))


@never_cache
@require_safe
def shared_export(request: HttpRequest, token: str, kind: str) -> HttpResponse:
    return _for_nobody_else(_export(_get_shared(token), kind))


@require_safe
@login_required
def prerequisites(request: HttpRequest) -> HttpResponse:
    """The guide, one tab for each version of vCenter."""
    check_somewhere(signed_in(request), Permission.VIEW_CLOUD_ACCOUNTS)
    version = request.GET.get("version", VERSIONS[0])
    if version not in VERSIONS:
        raise Http404
    crumbs = [("Tenant Settings", ""), ("Cloud Accounts", reverse("accounts:list")), ("Prerequisites", "")]
    context = {"guide": guide(load_tables()[version]), "versions": VERSIONS, "crumbs": crumbs}
    return render(request, "gateways/prerequisites.html", context)


def _get_report(request: HttpRequest, report_id: UUID) -> PrerequisiteReport:
    reports = PrerequisiteReport.objects.visible_to(signed_in(request))
    return get_object_or_404(
        reports.select_related("tenant", "project", "cloud_account__project", "gateway", "requested_by"),
        pk=report_id,
    )


def _get_report_for_change(request: HttpRequest, report_id: UUID) -> PrerequisiteReport:
    report = _get_report(request, report_id)
    permission, project = _needed(report)
    check(signed_in(request), permission, project=project)
    return report


def _reason_against_change(request: HttpRequest, report: PrerequisiteReport) -> str:
    permission, project = _needed(report)
    return reason_against(signed_in(request), permission, project=project)


def _needed(report: PrerequisiteReport) -> tuple[Permission, Project | None]:
    if report.project is not None:
        return Permission.DEPLOY_CLUSTERS, report.project
    if report.cloud_account is None:
        return Permission.MANAGE_GATEWAYS, None
    return Permission.MANAGE_CLOUD_ACCOUNTS, report.cloud_account.project


def _get_shared(token: str) -> PrerequisiteReport:
    report = find_shared(token)
    if report is None:
        raise Http404
    return report


def _shared_url(report: PrerequisiteReport) -> str:
    return reverse("accounts:shared-report", args=[link_token(report)])


def _for_nobody_else(response: HttpResponse) -> HttpResponse:
    """The link is the key: it goes to no other site and into no search engine."""
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _export(report: PrerequisiteReport, kind: str) -> HttpResponse:
    export = EXPORTS.get(kind)
    if export is None:
        raise Http404
    if report.is_running:
        raise Conflict("The check still runs. Export its report when it is done.")
    content = export.write(Report.from_json(report.content))
    response = HttpResponse(content, content_type=export.content_type)
    name = slugify(f"prerequisites {report.about} {report.created_at:%Y-%m-%d}")
    response["Content-Disposition"] = f'attachment; filename="{name}.{export.ending}"'
    response["Cache-Control"] = "private, no-store"
    return response


def _pages(report: PrerequisiteReport) -> str:
    """Where in the navigation somebody came from to it."""
    if report.project is not None:
        return "clusters:"
    return "accounts:" if report.cloud_account else "gateways:"


def _crumbs(report: PrerequisiteReport) -> list[tuple[str, str]]:
    if report.project is not None:
        return [("Clusters", reverse("clusters:list")), (report.about, ""), ("Prerequisites", "")]
    if report.cloud_account:
        trail = [("Tenant Settings", ""), ("Cloud Accounts", reverse("accounts:list"))]
        account = reverse("accounts:detail", args=[report.cloud_account.pk])
        return [*trail, (report.cloud_account.name, account), ("Prerequisites", "")]
    gateway = reverse("gateways:detail", args=[report.gateway_id])
    trail = [("Private Cloud Gateways", reverse("gateways:list")), (str(report.gateway), gateway)]
    return [*trail, ("Prerequisites", "")]
