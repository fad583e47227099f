from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateways.models import PrivateCloudGateway
from ippools.actions import InvalidPool, create_pool, delete_pool, edit_pool
from ippools.forms import IPPoolForm
from ippools.models import IPPool
from ippools.pages import detail_context, list_context, page_number
from ippools.promises import usages_with_promises
from ippools.usage import Usage
from ippools.views.loading import crumbs, get_pool_for_change, get_pool_or_404
from palette_portal.http import Conflict
from palette_portal.tenants.permissions import Permission, check, check_somewhere, reason_against
from palette_portal.tenants.requests import signed_in


@require_safe
@login_required
def pool_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    check_somewhere(user, Permission.VIEW_IP_POOLS)
    context = {
        **list_context(user),
        "change_denied": reason_against(user, Permission.MANAGE_IP_POOLS),
        "crumbs": crumbs(),
    }
    return render(request, "ippools/pool_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def pool_create(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    check(user, Permission.MANAGE_IP_POOLS)
    gateways = (
        PrivateCloudGateway.objects.visible_to(user).present().exclude(name="").order_by("is_system", "name")
    )
    initial = {"gateway": request.GET.get("gateway", "")}
    form = IPPoolForm(request.POST or None, gateways=gateways, initial=initial)
    if form.is_valid():
        try:
            pool = create_pool(gateway=form.chosen_gateway, values=form.values(), by=user)
        except InvalidPool as error:
            form.add_refusal(error)
        else:
            messages.success(request, f"IP pool {pool.name} was created.")
            return redirect("ippools:detail", pool_id=pool.pk)
    return _form_page(request, form, title="Create IP pool", crumbs=crumbs("Create IP pool"))


@require_safe
@login_required
def pool_detail(request: HttpRequest, pool_id: UUID) -> HttpResponse:
    pool = get_pool_or_404(request, pool_id)
    user = signed_in(request)
    number = page_number(request.GET.get("page", ""))
    context = {
        **detail_context(user, pool, shown=request.GET.get("show", "all"), number=number),
        "change_denied": reason_against(user, Permission.MANAGE_IP_POOLS),
        "crumbs": crumbs(pool=pool),
    }
    return render(request, "ippools/pool_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def pool_edit(request: HttpRequest, pool_id: UUID) -> HttpResponse:
    pool = get_pool_for_change(request, pool_id)
    form = IPPoolForm(request.POST or None, gateways=(), pool=pool)
    if form.is_valid():
        try:
            changed = edit_pool(pool=pool, values=form.values(), by=signed_in(request))
        except InvalidPool as error:
            form.add_refusal(error)
        else:
            messages.success(request, f"IP pool {changed.name} was changed.")
            return redirect("ippools:detail", pool_id=pool.pk)
    title = f"Edit {pool.name}"
    return _form_page(
        request, form, title=title, crumbs=crumbs("Edit", pool=pool), pool=pool, usage=_usage(pool)
    )


def _usage(pool: IPPool) -> Usage:
    return usages_with_promises([pool])[pool.pk]


def _form_page(request: HttpRequest, form: IPPoolForm, **context: Any) -> HttpResponse:
    status = 422 if form.errors else 200
    return render(request, "ippools/pool_form.html", {"form": form, **context}, status=status)


@require_POST
@login_required
def pool_delete(request: HttpRequest, pool_id: UUID) -> HttpResponse:
    pool = get_pool_for_change(request, pool_id)
    if request.POST.get("confirm", "").strip() != pool.name:
        raise Conflict(f"The IP pool was not deleted: type {pool.name} to confirm.")
    delete_pool(pool=pool, by=signed_in(request))
    messages.success(request, f"IP pool {pool.name} was deleted.")
    return redirect("ippools:list")
