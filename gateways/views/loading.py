"""Load a gateway and check the right to it in one call, so that a view cannot have one without the other."""

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from gateways.models import PrivateCloudGateway
from palette_portal.tenants.permissions import Permission, check
from palette_portal.tenants.requests import signed_in


def get_gateway_or_404(request: HttpRequest, gateway_id: UUID) -> PrivateCloudGateway:
    """Raise Denied for people who see no gateways, Http404 for another tenant's gateway."""
    user = signed_in(request)
    check(user, Permission.VIEW_GATEWAYS)
    gateways = PrivateCloudGateway.objects.visible_to(user).present()
    return get_object_or_404(gateways.select_related("tenant", "release", "upgrading_to"), pk=gateway_id)


def get_gateway_for_change(request: HttpRequest, gateway_id: UUID) -> PrivateCloudGateway:
    """As above, and raise Denied for people who may look but not change."""
    gateway = get_gateway_or_404(request, gateway_id)
    check(signed_in(request), Permission.MANAGE_GATEWAYS)
    return gateway
