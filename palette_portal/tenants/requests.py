from django.http import HttpRequest

from palette_portal.tenants.models import Project, Tenant, User


class PortalRequest(HttpRequest):
    """A signed-in person's request, as ScopeMiddleware leaves it."""

    user: User
    tenant: Tenant | None
    project: Project | None


def signed_in(request: HttpRequest) -> User:
    """The person of a view that is for signed-in people only."""
    assert isinstance(request.user, User)
    return request.user
