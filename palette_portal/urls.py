from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError

from clusters.api import router as clusters_router
from gateways.api import router as gateways_router
from gateways.views.download import installer_download
from palette_portal import views

# For machines: installers and nodes. Its errors are {"code", "message"} throughout.
api = NinjaAPI(title="Palette Portal", version="1", urls_namespace="v1", docs_url=None, openapi_url=None)
api.add_router("/pcg", gateways_router)
api.add_router("/machines", clusters_router)

# Administrators sign in as everybody does: the admin's own form knows no rate limit.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


def _problem(request: HttpRequest, status: int, code: str, message: str) -> HttpResponse:
    return api.create_response(request, {"code": code, "message": message}, status=status)


@api.exception_handler(ValidationError)
def invalid_request(request: HttpRequest, error: ValidationError) -> HttpResponse:
    problems = (f"{'.'.join(map(str, problem['loc'][2:]))}: {problem['msg']}" for problem in error.errors)
    return _problem(request, 422, "InvalidRequest", "; ".join(problems))


@api.exception_handler(AuthenticationError)
def unauthorised(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return _problem(request, 401, "Unauthorized", "The token is missing or not valid.")


@api.exception_handler(Throttled)
def too_many_requests(request: HttpRequest, error: Throttled) -> HttpResponse:
    response = _problem(request, 429, "TooManyRequests", "Too many attempts. Wait a minute.")
    response["Retry-After"] = str(error.wait or 60)
    return response


@api.exception_handler(HttpError)
def http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    return _problem(request, error.status_code, "RequestRefused", str(error))


urlpatterns = [
    path("", views.home, name="home"),
    path("health/live", views.health_live, name="health-live"),
    path("health/ready", views.health_ready, name="health-ready"),
    path("account/", include("palette_portal.tenants.account_urls")),
    path("settings/", include("palette_portal.tenants.urls")),
    path("gateways/", include("gateways.urls")),
    path("clusters/", include("clusters.urls")),
    path("profiles/", include("clusters.profiles.urls")),
    path("ip-pools/", include("ippools.urls")),
    path("cloud-accounts/", include("gateways.account_urls")),
    path("downloads/palette-gateway-installer.ova", installer_download, name="installer-download"),
    path("v1/", api.urls),
    path("django-admin/", admin.site.urls),
]
