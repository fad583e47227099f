"""Machines and addresses that nobody owns any more, on the vCenter of one cloud account."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clusters.actions.orphans import remove_orphans
from clusters.orphans import Orphan, find_orphans
from gateways.account_pages import clean_up_context, reason_against_orphans
from gateways.models import CloudAccount
from gateways.views.accounts import get_account_for_change, get_account_or_404
from ippools.actions.sweep import orphaned_claims
from ippools.models import IPAddressClaim
from palette_portal.http import Conflict
from palette_portal.tenants.permissions import Denied, Permission, reason_against
from palette_portal.tenants.requests import signed_in
from palette_portal.vsphere.errors import VSphereError


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def account_orphans(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Review, choose, type the account's name."""
    account = get_account_or_404(request, account_id)
    if reason := reason_against_orphans(signed_in(request), account):
        raise Denied(reason)
    if request.method != "POST":
        return _show(request, account)
    account = get_account_for_change(request, account_id)
    chosen = request.POST.getlist("vm")
    if not chosen:
        return _show(request, account, status=422, error="Choose the machines to remove.")
    if request.POST.get("name", "").strip() != account.name:
        return _show(request, account, status=422, chosen=chosen, typed_wrong=True)
    try:
        remove_orphans(account=account, moids=chosen, by=signed_in(request))
    except Conflict as conflict:
        return _show(request, account, status=409, error=conflict.reason)
    except VSphereError as error:
        return _show(request, account, status=409, error=f"{error.sentence} {error.hint}".strip())
    count = "1 machine is" if len(chosen) == 1 else f"{len(chosen)} machines are"
    messages.info(request, f"{count} being removed.")
    return redirect("accounts:orphans", account_id=account.pk)


def _show(request: HttpRequest, account: CloudAccount, *, status: int = 200, **context: Any) -> HttpResponse:
    orphans, problem = _orphans(account)
    user = signed_in(request)
    shown = {
        "orphans": orphans,
        "removable": any(orphan.is_removable for orphan in orphans),
        "problem": problem,
        "claims": _claims(account, orphans),
        "must_equal": account.name,
        "remove_denied": reason_against(user, Permission.MANAGE_CLOUD_ACCOUNTS, project=account.project),
        "crumbs": _crumbs(account),
        **clean_up_context(account),
        **context,
    }
    return render(request, "gateways/account_orphans.html", shown, status=status)


def _orphans(account: CloudAccount) -> tuple[list[Orphan], str]:
    if not account.password:
        return [], "No password is stored, so vCenter was not asked."
    try:
        return find_orphans(account), ""
    except VSphereError as error:
        return [], f"{error.sentence} {error.hint}".strip()
    except Conflict as busy:
        return [], busy.reason


def _claims(account: CloudAccount, orphans: list[Orphan]) -> list[tuple[IPAddressClaim, str]]:
    """Addresses of the gateway's pools held for nobody, each with the orphan that uses it.

    A virtual IP is held for the cluster, and used as long as any machine of it exists.
    """
    ours = [orphan for orphan in orphans if orphan.is_removable]
    users = {mark: one.vm.name for one in ours for mark in (one.cluster_mark, one.machine_mark)}
    return [
        (claim, users.get(str(claim.owner_id), ""))
        for pool in account.gateway.ip_pools.order_by("name")
        for claim in orphaned_claims(pool).select_related("pool").order_by("address")
    ]


def _crumbs(account: CloudAccount) -> list[tuple[str, str]]:
    return [
        ("Tenant Settings", ""),
        ("Cloud Accounts", reverse("accounts:list")),
        (account.name, reverse("accounts:detail", args=[account.pk])),
        ("Orphans", ""),
    ]
