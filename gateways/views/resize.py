"""Resize a gateway: what it needs is looked up when the dialog opens, and again when it is confirmed."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from gateways.actions.resize import LARGE, NoRoom, check_resize, resize_gateway, room_to_resize
from gateways.views.dialogs import Dialog, go_to, page_of, show_dialog
from gateways.views.loading import get_gateway_for_change
from palette_portal.http import Conflict
from palette_portal.tenants.requests import signed_in


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def gateway_resize(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    gateway = get_gateway_for_change(request, gateway_id)
    dialog = Dialog(f"Resize {gateway}", "Resize gateway", "gateways/_resize_body.html", tone="primary")
    try:
        body = check_resize(gateway, _size(request))
        if request.method != "POST":
            lines = room_to_resize(gateway, body)
            fits = all(line.level != "failed" for line in lines)
            return show_dialog(
                request, gateway, dialog, no_button=not fits, lines=lines, fits=fits, size=LARGE
            )
        resize_gateway(gateway=gateway, by=signed_in(request), size=_size(request))
    except NoRoom as none:
        return show_dialog(
            request, gateway, dialog, status=409, refused="There is no room.", lines=none.lines
        )
    except Conflict as conflict:
        return show_dialog(request, gateway, dialog, status=409, refused=conflict.reason)
    messages.info(request, f"Two more nodes are joining {gateway}.")
    return go_to(request, page_of(gateway, body))


def _size(request: HttpRequest) -> int:
    """As the form says; anything but a number is what the page offers."""
    size = request.POST.get("size", "")
    return int(size) if size in ("1", "3") else LARGE
