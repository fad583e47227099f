"""Update a running cluster to other profiles, versions or values: what changes first, then Confirm."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clusters.actions.changing import check_can_begin
from clusters.actions.updates import Update, plan_update, update_cluster
from clusters.day_two.updating import Choice, carried_form, choice_of, update_form, update_request
from clusters.deploy.forms.parameters import RESET, ParametersForm
from clusters.models import Cluster
from clusters.views.dialogs import go_to, page_of
from clusters.views.loading import get_cluster_for_change
from palette_portal.http import Conflict, is_partial
from palette_portal.tenants.requests import signed_in

CONFIRM, CHOOSE = "confirm", "choose"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def cluster_update(request: HttpRequest, cluster_id: UUID) -> HttpResponse:
    cluster = get_cluster_for_change(request, cluster_id)
    check_can_begin(cluster)
    data = request.POST if request.method == "POST" else None
    choice = choice_of(cluster, request.GET if data is None else data)
    if data is not None and CHOOSE in request.GET:
        return _chosen(request, cluster, choice)
    form = update_form(cluster, choice, data)
    if data is None or data.get("then", "").startswith(RESET):
        return _show(request, cluster, choice, form)
    if "check" in request.GET:
        return _checked(request, form)
    if choice.problem or not form.is_valid():
        return _show(request, cluster, choice, form, status=422)
    try:
        return _update(request, cluster, choice, form)
    except Conflict as conflict:
        return _show(request, cluster, choice, form, refused=conflict.reason, status=409)


def _chosen(request: HttpRequest, cluster: Cluster, choice: Choice) -> HttpResponse:
    """Other versions, with what was typed so far; the address says which, so that it can be loaded again."""
    response = _show(request, cluster, choice, carried_form(cluster, choice, request.POST))
    response["HX-Push-Url"] = f"{request.path}?{choice.query}"
    return response


def _checked(request: HttpRequest, form: ParametersForm) -> HttpResponse:
    """One pack's values, or one variable, while the page is being filled in."""
    form.is_valid()
    wanted = request.GET["check"]
    if editor := form.editor_named(wanted):
        return render(request, "clusters/_deploy_feedback.html", {"editor": editor})
    field = form.field_named(wanted)
    return HttpResponse(field.as_field_group() if field else "", status=200 if field else 404)


def _update(request: HttpRequest, cluster: Cluster, choice: Choice, form: ParametersForm) -> HttpResponse:
    wanted = update_request(form)
    update = plan_update(cluster, wanted)
    if update.is_empty:
        raise Conflict(f"Nothing of {cluster} is different.")
    if request.POST.get("then") != CONFIRM:
        return _show(request, cluster, choice, form, update=update)
    update_cluster(cluster=cluster, request=wanted, by=signed_in(request))
    messages.info(request, f"{cluster} is being updated to {choice}.")
    return go_to(request, page_of(cluster))


def _show(
    request: HttpRequest,
    cluster: Cluster,
    choice: Choice,
    form: ParametersForm,
    *,
    update: Update | None = None,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "cluster": cluster,
        "choice": choice,
        "form": form,
        "update": update,
        "refused": refused,
        "action": request.path,
        "crumbs": [
            ("Clusters", reverse("clusters:list")),
            (cluster.name, page_of(cluster)),
            ("Update", ""),
        ],
    }
    template = "clusters/_update_form.html" if is_partial(request) else "clusters/update_page.html"
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
