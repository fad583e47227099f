from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from clusters.profiles import actions
from clusters.profiles.actions.drafts import WrongValues, mark_of
from clusters.profiles.diffs import diff_lines, text_of
from clusters.profiles.forms import LayerForm, choice_of
from clusters.profiles.models import LayerKind, ProfileLayer, ProfileVersion
from clusters.profiles.packs import NoSuchPack, find_pack, load_catalog
from clusters.profiles.values import check_values
from clusters.profiles.variables import read_variables
from clusters.profiles.views.loading import crumbs, get_draft, get_layer, url_of
from clusters.profiles.yaml_text import Problem
from palette_portal.http import Conflict, is_partial
from palette_portal.tenants.requests import signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def layer_add(request: HttpRequest, profile_id: UUID, version: str, kind: str) -> HttpResponse:
    draft = get_draft(request, profile_id, version)
    if kind not in LayerKind.values:
        raise Http404
    taken = {layer.pack for layer in draft.layers.all()}
    form = LayerForm(_sent(request), kind=kind, taken=taken, initial=_first_free(kind, taken))
    return _edit(request, draft, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def layer_change(request: HttpRequest, profile_id: UUID, version: str, pack: str) -> HttpResponse:
    draft = get_draft(request, profile_id, version)
    layer = get_layer(draft, pack)
    taken = {other.pack for other in draft.layers.all() if other.pk != layer.pk}
    initial = {"choice": choice_of(layer.pack, layer.pack_version), "values": text_of(layer)}
    form = LayerForm(_sent(request), kind=layer.kind, taken=taken, initial=initial)
    return _edit(request, draft, form, layer)


@require_POST
@login_required
def layer_remove(request: HttpRequest, profile_id: UUID, version: str, pack: str) -> HttpResponse:
    layer = get_layer(get_draft(request, profile_id, version), pack)
    actions.remove_layer(layer=layer, by=signed_in(request))
    messages.success(request, f"The layer {layer} was removed.")
    return redirect(url_of(layer.version))


def _edit(
    request: HttpRequest, draft: ProfileVersion, form: LayerForm, layer: ProfileLayer | None
) -> HttpResponse:
    """Save, or show the page: with another pack's values when one was chosen, or with what is wrong."""
    if request.method != "POST":
        return _show(request, draft, form, layer, typed=form.typed)
    if "load" in request.POST:
        return _show(request, draft, form, layer, typed=_loaded(request, form))
    problems: list[Problem] = []
    if "check" in request.POST:
        problems = _problems(draft, form)
    elif form.is_valid():
        try:
            return _save(request, draft, form, layer)
        except WrongValues as wrong:
            problems = wrong.problems
        except Conflict as conflict:
            form.add_error(None, conflict.reason)
    return _show(request, draft, form, layer, typed=form.typed, problems=problems, was_checked=True)


def _save(
    request: HttpRequest, draft: ProfileVersion, form: LayerForm, layer: ProfileLayer | None
) -> HttpResponse:
    pack = form.pack
    assert pack is not None
    values = {"pack": pack.pack, "pack_version": pack.version, "values": form.typed}
    if layer:
        seen = request.POST.get("seen", "")
        actions.change_layer(layer=layer, seen=seen, by=signed_in(request), **values)
    else:
        actions.add_layer(version=draft, by=signed_in(request), **values)
    messages.success(request, f"{pack} was {'saved' if layer else 'added'}.")
    url = url_of(draft)
    return HttpResponseClientRedirect(url) if is_partial(request) else redirect(url)


def _show(
    request: HttpRequest,
    draft: ProfileVersion,
    form: LayerForm,
    layer: ProfileLayer | None,
    *,
    typed: str,
    problems: list[Problem] | None = None,
    was_checked: bool = False,
) -> HttpResponse:
    pack = form.pack
    context: dict[str, Any] = {
        "form": form,
        "version": draft,
        "layer": layer,
        "seen": request.POST.get("seen") or (mark_of(layer) if layer else ""),
        "pack": pack,
        "about": load_catalog().find(pack.pack) if pack else None,
        "typed": typed,
        "problems": problems or [],
        "is_fine": was_checked and not problems and not form.errors,
        "changes": diff_lines(pack.default_values, typed) if pack else (),
        "variables": read_variables(draft.variables),
        "back": url_of(draft),
        "crumbs": crumbs(str(pack or form.kind.label), version=draft),
    }
    template = "profiles/_layer_form.html" if is_partial(request) else "profiles/layer_form.html"
    is_refused = "check" not in request.POST and was_checked and not context["is_fine"]
    response = render(request, template, context, status=422 if is_refused else 200)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _problems(draft: ProfileVersion, form: LayerForm) -> list[Problem]:
    return check_values(form.pack, form.typed, read_variables(draft.variables)) if form.pack else []


def _loaded(request: HttpRequest, form: LayerForm) -> str:
    """Another version of the same pack keeps what was typed over the values that were the pack's before."""
    pack = form.pack
    if pack is None:
        return form.typed
    name, _, version = request.POST.get("shown", "").partition("@")
    try:
        shown = find_pack(name, version)
    except NoSuchPack:
        return pack.default_values
    was_changed = form.typed.strip() != shown.default_values.strip()
    return form.typed if shown.pack == pack.pack and was_changed else pack.default_values


def _sent(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _first_free(kind: str, taken: set[str]) -> dict[str, str]:
    packs = [pack for pack in load_catalog().of_kind(kind) if pack.name not in taken]
    if not packs:
        raise Conflict("The profile has every pack of this kind already.")
    newest = packs[0].versions[0]
    return {"choice": choice_of(newest.pack, newest.version), "values": newest.default_values}
