from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from ippools.actions import InvalidPool, exclude_addresses
from ippools.actions.sweep import (
    Stray,
    find_strays,
    orphaned_claims,
    release_orphans,
    vcenter_account,
)
from ippools.models import IPPool
from ippools.views.loading import crumbs, get_pool_for_change
from palette_portal.http import Conflict
from palette_portal.tenants.requests import signed_in
from palette_portal.vsphere.errors import VSphereError


@never_cache
@require_safe
@login_required
def pool_sweep(request: HttpRequest, pool_id: UUID) -> HttpResponse:
    pool = get_pool_for_change(request, pool_id)
    strays, problem = _strays(pool)
    on_vcenter = {stray.address: stray.vm_name for stray in strays}
    context = {
        "pool": pool,
        "orphans": [(claim, on_vcenter.get(claim.address, "")) for claim in orphaned_claims(pool)],
        "unknown": [stray for stray in strays if not stray.held_by],
        "doubled": [stray for stray in strays if stray.held_by],
        "problem": problem,
        "crumbs": crumbs("Check addresses", pool=pool),
    }
    return render(request, "ippools/pool_sweep.html", context)


def _strays(pool: IPPool) -> tuple[list[Stray], str]:
    account = vcenter_account(pool)
    if account is None:
        return [], "The gateway has no cloud account yet, so vCenter was not asked."
    try:
        return find_strays(pool, account), ""
    except VSphereError as error:
        return [], f"{error.sentence} {error.hint}".strip()


@require_POST
@login_required
def orphans_release(request: HttpRequest, pool_id: UUID) -> HttpResponse:
    pool = get_pool_for_change(request, pool_id)
    chosen = {int(text) for text in request.POST.getlist("claim") if text.isascii() and text.isdigit()}
    if not chosen:
        raise Conflict("Choose the addresses to release.")
    count = release_orphans(pool=pool, claim_ids=chosen, by=signed_in(request))
    messages.success(request, f"{count} address{'' if count == 1 else 'es'} released.")
    return redirect("ippools:sweep", pool_id=pool.pk)


@require_POST
@login_required
def strays_exclude(request: HttpRequest, pool_id: UUID) -> HttpResponse:
    pool = get_pool_for_change(request, pool_id)
    chosen = request.POST.getlist("address")
    if not chosen:
        raise Conflict("Choose the addresses to exclude.")
    try:
        exclude_addresses(pool=pool, addresses=chosen, by=signed_in(request))
    except InvalidPool as error:
        raise Conflict(error.message) from error
    messages.success(request, f"{pool.name} never hands out {', '.join(chosen)}.")
    return redirect("ippools:sweep", pool_id=pool.pk)
