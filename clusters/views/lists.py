"""The cluster list, its saved views and its export."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from clusters.actions.saved_views import ViewNameRefused, delete_view, save_view
from clusters.listing import ListFilter, clusters_for, count_of, list_page
from clusters.listing_words import chips_of, columns_of
from clusters.models import Cluster, ClusterQuerySet, SavedView
from clusters.profiles.models import ClusterProfile
from clusters.states import ClusterHealth, ClusterState
from gateways.models import PrivateCloudGateway
from palette_portal.http import is_partial
from palette_portal.tenants.models import Project, User
from palette_portal.tenants.permissions import Permission, reason_against_somewhere
from palette_portal.tenants.requests import signed_in

TAGS_SUGGESTED = 200


@require_safe
@login_required
def cluster_list(request: HttpRequest) -> HttpResponse:
    """The page; for HTMX its results after a change of the filter."""
    user, wanted = signed_in(request), ListFilter.from_query(request.GET)
    clusters = clusters_for(user, scope=_scope(request))
    choices = _choices(user, clusters)
    context = {
        "filter": wanted,
        "page": list_page(clusters, wanted, user.own_tenant_id, at=request.GET.get("at", "")),
        "count": count_of(clusters, wanted),
        "columns": columns_of(wanted),
        "chips": chips_of(wanted, choices),
        "saved_views": SavedView.objects.filter(user=user, tenant_id=user.own_tenant_id),
        "deploy_denied": reason_against_somewhere(user, Permission.DEPLOY_CLUSTERS),
    }
    if is_partial(request):
        return _part(request, wanted, context)
    context |= {**choices, "crumbs": [("Clusters", "")], "scope": _scope(request)}
    response = render(request, "clusters/cluster_list.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_GET
@login_required
def tag_suggestions(request: HttpRequest) -> HttpResponse:
    """Asked for when somebody is about to filter by tag: it reads every cluster."""
    clusters = clusters_for(signed_in(request), scope=_scope(request)).present()
    return render(request, "clusters/_tag_suggestions.html", {"tags": clusters.tags_used()[:TAGS_SUGGESTED]})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def view_save(request: HttpRequest) -> HttpResponse:
    """A dialog in the list, a page of its own without JavaScript; the filter comes along in the query."""
    query = ListFilter.from_query(request.GET if request.method != "POST" else _posted_query(request)).query
    if request.method != "POST":
        return _ask_for_name(request, query)
    try:
        view = save_view(name=request.POST.get("name", ""), query=query, by=signed_in(request))
    except ViewNameRefused as refused:
        return _ask_for_name(request, query, error=refused.reason, status=422)
    messages.success(request, f"The view {view.name} is saved.")
    address = f"{reverse('clusters:list')}?{query}"
    return HttpResponseClientRedirect(address) if is_partial(request) else redirect(address)


@require_POST
@login_required
def view_delete(request: HttpRequest, view_id: UUID) -> HttpResponse:
    user = signed_in(request)
    view = get_object_or_404(SavedView, pk=view_id, user=user, tenant_id=user.own_tenant_id)
    delete_view(view=view, by=user)
    messages.info(request, f"The view {view.name} is deleted.")
    return redirect("clusters:list")


def _part(request: HttpRequest, wanted: ListFilter, context: dict[str, Any]) -> HttpResponse:
    response = render(request, "clusters/_cluster_results.html", {**context, "is_part": True})
    response["HX-Push-Url"] = f"{reverse('clusters:list')}{'?' if wanted.query else ''}{wanted.query}"
    patch_vary_headers(response, ["HX-Request"])
    return response


def _choices(user: User, clusters: ClusterQuerySet) -> dict[str, Any]:
    """What the filter offers; gateways by the clusters they have, as their own page is for few."""
    own = PrivateCloudGateway.objects.filter(tenant_id=user.own_tenant_id)
    used: QuerySet[Cluster] = clusters.filter(gateway=OuterRef("pk"))
    return {
        "states": ClusterState.values,
        "healths": ClusterHealth.values,
        "projects": user.visible_projects,
        "gateways": _named(own.filter(Exists(used))),
        "profiles": _named(ClusterProfile.objects.visible_to(user)),
    }


def _named(rows: QuerySet[Any]) -> QuerySet[Any, Any]:
    return rows.order_by("name").values_list("pk", "name", named=True)


def _scope(request: HttpRequest) -> Project | None:
    return getattr(request, "project", None)


def _posted_query(request: HttpRequest) -> QueryDict:
    return QueryDict(request.POST.get("query", "")[:1000])


def _ask_for_name(request: HttpRequest, query: str, *, error: str = "", status: int = 200) -> HttpResponse:
    context = {
        "query": query,
        "typed": request.POST.get("name", "")[:100],
        "name_error": error,
        "dialog_action": reverse("clusters:view-save"),
        "crumbs": [("Clusters", reverse("clusters:list")), ("Save view", "")],
    }
    template = "clusters/_view_dialog.html" if is_partial(request) else "clusters/view_page.html"
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
