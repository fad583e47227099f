from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from gateways.account_pages import detail_context, list_context
from gateways.actions import accounts as actions
from gateways.check_limits import check_allowed
from gateways.forms.account import TENANT, AccountForm
from gateways.models import CloudAccount
from gateways.vcenter_checks import VCenterRefused
from palette_portal.http import Conflict, is_partial
from palette_portal.tenants.models import Project, User
from palette_portal.tenants.permissions import (
    Permission,
    can_somewhere,
    check,
    check_somewhere,
    reason_against,
)
from palette_portal.tenants.requests import signed_in


@require_safe
@login_required
def account_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    check_somewhere(user, Permission.VIEW_CLOUD_ACCOUNTS)
    context = {**list_context(user), "create_denied": _reason_against_creating(user), "crumbs": _crumbs()}
    return render(request, "gateways/account_list.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def account_create(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    check_somewhere(user, Permission.MANAGE_CLOUD_ACCOUNTS)
    form = AccountForm(request.POST or None, user=user, initial=_initial(request))
    if form.is_valid() and form.facts:
        try:
            account = actions.create_account(values=form.values(), facts=form.facts, by=user)
        except Conflict as conflict:
            form.add_error(None, conflict.reason)
        else:
            messages.success(request, f"Cloud account {account} was created.")
            return _go_to(request, account)
    return _show_form(request, form, title="Create cloud account", crumbs=_crumbs("Create"))


@require_safe
@login_required
def account_detail(request: HttpRequest, account_id: UUID) -> HttpResponse:
    account = get_account_or_404(request, account_id)
    return _show(request, account)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def account_edit(request: HttpRequest, account_id: UUID) -> HttpResponse:
    account = get_account_for_change(request, account_id)
    user = signed_in(request)
    form = AccountForm(request.POST or None, user=user, account=account)
    if form.is_valid():
        try:
            actions.change_account(account=account, values=form.values(), facts=form.facts, by=user)
        except Conflict as conflict:
            form.add_error(None, conflict.reason)
        else:
            tested = " Its login works and is in use." if form.facts else ""
            messages.success(request, f"Cloud account {form.values().name} was changed.{tested}")
            return _go_to(request, account)
    crumbs = _crumbs("Edit", account=account)
    return _show_form(request, form, title=f"Edit {account}", account=account, crumbs=crumbs)


@require_POST
@login_required
def account_test(request: HttpRequest, account_id: UUID) -> HttpResponse:
    account = get_account_for_change(request, account_id)
    if not account.password:
        raise Conflict("No password is stored. Edit the account and enter it.")
    user = signed_in(request)
    try:
        check_allowed(by=user, server=account.vcenter_server)
        facts = actions.verify_account(account=account, by=user)
    except VCenterRefused as refused:
        account = get_account_or_404(request, account_id)
        return _show(request, account, status=422, refused=refused)
    messages.success(request, f"The login works. {facts.name} answers.")
    return redirect("accounts:detail", account_id=account.pk)


@require_POST
@login_required
def account_delete(request: HttpRequest, account_id: UUID) -> HttpResponse:
    account = get_account_for_change(request, account_id)
    if request.POST.get("confirm", "").strip() != account.name:
        raise Conflict(f"The cloud account was not deleted: type {account.name} to confirm.")
    actions.delete_account(account=account, by=signed_in(request))
    messages.success(request, f"Cloud account {account.name} was deleted.")
    return redirect("accounts:list")


def get_account_or_404(request: HttpRequest, account_id: UUID) -> CloudAccount:
    """Raise Denied for people who see no accounts, Http404 for those of others."""
    user = signed_in(request)
    check_somewhere(user, Permission.VIEW_CLOUD_ACCOUNTS)
    accounts = CloudAccount.objects.visible_to(user).select_related(
        "tenant", "gateway", "project", "created_by"
    )
    chosen = Prefetch("projects", Project.objects.visible_to(user))
    return get_object_or_404(accounts.prefetch_related(chosen), pk=account_id)


def get_account_for_change(request: HttpRequest, account_id: UUID) -> CloudAccount:
    """As above, and raise Denied for people who may look but not change."""
    account = get_account_or_404(request, account_id)
    check(signed_in(request), Permission.MANAGE_CLOUD_ACCOUNTS, project=account.project)
    return account


def _reason_against_creating(user: User) -> str:
    if can_somewhere(user, Permission.MANAGE_CLOUD_ACCOUNTS):
        return ""
    return reason_against(user, Permission.MANAGE_CLOUD_ACCOUNTS)


def _initial(request: HttpRequest) -> dict[str, Any]:
    project: Project | None = request.project  # type: ignore[attr-defined]
    gateway = request.GET.get("gateway", "")
    return {"scope": str(project.pk) if project else TENANT, "gateway": gateway}


def _show(
    request: HttpRequest,
    account: CloudAccount,
    *,
    status: int = 200,
    refused: VCenterRefused | None = None,
) -> HttpResponse:
    shown = detail_context(signed_in(request), account)
    context = {**shown, "refused": refused, "crumbs": _crumbs(account=account)}
    return render(request, "gateways/account_detail.html", context, status=status)


def _show_form(request: HttpRequest, form: AccountForm, **context: Any) -> HttpResponse:
    template = "gateways/_account_form.html" if is_partial(request) else "gateways/account_form.html"
    status = 422 if form.errors else 200
    response = render(request, template, {"form": form, **context}, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _go_to(request: HttpRequest, account: CloudAccount) -> HttpResponse:
    url = reverse("accounts:detail", args=[account.pk])
    return HttpResponseClientRedirect(url) if is_partial(request) else redirect(url)


def _crumbs(*more: str, account: CloudAccount | None = None) -> list[tuple[str, str]]:
    trail = [("Tenant Settings", ""), ("Cloud Accounts", reverse("accounts:list"))]
    if account:
        trail.append((account.name, reverse("accounts:detail", args=[account.pk])))
    return [*trail, *((label, "") for label in more)]
