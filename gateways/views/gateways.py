from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from gateways.actions.pairing import create_gateway, regenerate_pairing_code
from gateways.cards import gateway_card, gateway_cards
from gateways.forms.create import InstallerPropertiesForm
from gateways.install import LOG_SCRIPT, installation, keep_code_for_page, take_code_for_page
from gateways.states import check_pairable
from gateways.views.loading import get_gateway_for_change, get_gateway_or_404
from palette_portal.orchestration.models import Event
from palette_portal.tenants.permissions import Permission, check, reason_against
from palette_portal.tenants.requests import signed_in

_CRUMBS = (("Tenant Settings", ""), ("Private Cloud Gateways", "/gateways/"))


@require_safe
@login_required
def gateway_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    check(user, Permission.VIEW_GATEWAYS)
    context = {
        "cards": gateway_cards(user),
        "crumbs": [*_CRUMBS],
        "after": Event.objects.filter(tenant_id=user.own_tenant_id).last_number(),
        "create_denied": reason_against(user, Permission.MANAGE_GATEWAYS),
    }
    return render(request, "gateways/gateway_list.html", context)


@require_safe
@login_required
def gateway_detail(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    """Where the widget leads: the gateway's Cluster Details page, or what must happen before there is one."""
    gateway = get_gateway_or_404(request, gateway_id)
    cluster = gateway.clusters.gateway_bodies().first()
    if cluster:
        return redirect("clusters:detail", cluster_id=cluster.pk)
    context = {"gateway": gateway, "crumbs": [*_CRUMBS, (gateway.display_name, "")]}
    context["after"] = Event.objects.filter(tenant_id=gateway.tenant_id).last_number()
    card = gateway_card(signed_in(request), gateway)
    return render(request, "gateways/gateway_detail.html", {**context, "card": card})


@require_POST
@login_required
def gateway_create(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    check(user, Permission.MANAGE_GATEWAYS)
    assert user.tenant is not None  # only superusers have none, and they hold no role
    gateway, code = create_gateway(tenant=user.tenant, by=user)
    keep_code_for_page(request, gateway, code)
    return redirect("gateways:install", gateway_id=gateway.pk)


@never_cache
@require_safe
@login_required
def gateway_install(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    gateway = get_gateway_for_change(request, gateway_id)
    if not gateway.is_registered:
        check_pairable(gateway)
    code = take_code_for_page(request, gateway)
    context = {
        "gateway": gateway,
        "crumbs": [*_CRUMBS, ("Create Private Cloud Gateway", "")],
        "installation": installation(gateway),
        "code": code,
        "form": InstallerPropertiesForm(
            initial={"pairing_code": code, "console_endpoint": settings.PUBLIC_URL}
        ),
        "after": Event.objects.filter(tenant_id=gateway.tenant_id).last_number(),
    }
    return render(request, "gateways/gateway_install.html", context)


@require_safe
@login_required
def installer_arrival(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    """The part that tells whether the installer came; asked for once more when its ten minutes are over."""
    gateway = get_gateway_for_change(request, gateway_id)
    context = {"gateway": gateway, "installation": installation(gateway)}
    return render(request, "gateways/_installer_arrival.html", context)


@never_cache
@require_POST
@login_required
def pairing_code_regenerate(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    gateway = get_gateway_for_change(request, gateway_id)
    code = regenerate_pairing_code(gateway=gateway, by=signed_in(request))
    keep_code_for_page(request, gateway, code)
    return redirect("gateways:install", gateway_id=gateway.pk)


@never_cache
@require_POST
@login_required
def installer_properties_check(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    """Check what will be typed into vSphere's Customize Template page and print it as a list to copy."""
    gateway = get_gateway_for_change(request, gateway_id)
    form = InstallerPropertiesForm(request.POST)
    context = {"gateway": gateway, "form": form, "is_checked": form.is_valid()}
    return render(
        request, "gateways/_installer_properties.html", context, status=200 if form.is_valid() else 422
    )


@require_safe
@login_required
def installer_log_script(request: HttpRequest) -> FileResponse:
    check(signed_in(request), Permission.VIEW_GATEWAYS)
    return FileResponse(LOG_SCRIPT.open("rb"), as_attachment=True, filename=LOG_SCRIPT.name)
