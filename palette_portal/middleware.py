"""The one place where scope is put on a request and where domain errors become HTTP answers."""

import json
from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils.cache import patch_vary_headers
from django.utils.http import urlencode
from django_htmx.http import HttpResponseClientRedirect

from palette_portal.http import Conflict, is_partial
from palette_portal.tenants.models import Project, User
from palette_portal.tenants.permissions import Denied

Answer = Callable[[HttpRequest], HttpResponse]


class ScopeMiddleware:
    """`request.tenant` is the person's tenant, `request.project` the one chosen in the side navigation.

    What a signed-in person sees is kept by nobody: neither by a proxy nor by the browser of a shared machine.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user if isinstance(request.user, User) or request.user.is_authenticated else None
        request.tenant = user.tenant if user else None  # type: ignore[attr-defined]
        request.project = _chosen_project(request) if user else None  # type: ignore[attr-defined]
        response = self.get_response(request)
        if user and response.get("Content-Type", "").startswith("text/html"):
            response.setdefault("Cache-Control", "private, no-store")
        return response


def _chosen_project(request: HttpRequest) -> Project | None:
    try:
        chosen = UUID(request.session.get("project", ""))
    except ValueError:
        return None
    return Project.objects.visible_to(request.user).filter(pk=chosen).first()  # type: ignore[arg-type]


class DomainErrorMiddleware:
    """Denied becomes 403 and Conflict 409, as a page or as a part; both with the reason for the person."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if is_partial(request) and _leads_to_sign_in(response):
            return _whole_page_to_sign_in(request)
        patch_vary_headers(response, ["HX-Request"])
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, Denied):
            return _refuse(request, error.reason, status=403)
        if isinstance(error, Conflict):
            return _refuse(request, error.reason, status=409)
        return None


def _refuse(request: HttpRequest, reason: str, *, status: int) -> HttpResponse:
    """A part is not swapped in place of what it was asked for: the script shows the reason as a message."""
    context = {"reason": reason}
    if not is_partial(request):
        return render(request, f"{status}.html", context, status=status)
    response = render(request, "_components/_problem.html", context, status=status)
    response["HX-Reswap"] = "none"
    response["HX-Trigger"] = json.dumps({"action-refused": context})
    return response


def _leads_to_sign_in(response: HttpResponse) -> bool:
    return response.status_code == 302 and response["Location"].startswith(resolve_url(settings.LOGIN_URL))


def _whole_page_to_sign_in(request: HttpRequest) -> HttpResponse:
    """The session ended: without this, HTMX would put the sign-in page inside the part."""
    came_from = request.htmx.current_url_abs_path or "/"  # type: ignore[attr-defined]
    return HttpResponseClientRedirect(f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': came_from})}")
