from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, can


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The page this person most likely came for."""
    assert isinstance(request.user, User)
    if can(request.user, Permission.VIEW_GATEWAYS):
        return redirect("gateways:list")
    return redirect("clusters:list")


@require_safe
def health_live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@require_safe
def health_ready(request: HttpRequest) -> JsonResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})
