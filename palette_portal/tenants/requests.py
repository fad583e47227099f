from django.http import HttpRequest

from palette_portal.tenants.models import Project, Tenant, User


class PortalRequest(HttpRequest):
    """A signed-in person's request, as ScopeMiddleware leaves it."""

    user: User
    tenant: Tenant | None
    project: Project | None
