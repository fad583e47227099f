from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from gateways.actions.credentials import change_credentials
from gateways.forms.credentials import CredentialsForm
from gateways.views.loading import get_gateway_for_change, signed_in
from palette_portal.http import is_partial


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def credentials_change(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    gateway = get_gateway_for_change(request, gateway_id)
    account = get_object_or_404(gateway.cloud_accounts.select_related("tenant", "project"), is_default=True)
    form = CredentialsForm(request.POST or None, account=account)
    if request.method == "POST" and form.is_valid() and form.facts is not None:
        values = form.cleaned_data
        change_credentials(
            account=account,
            username=values["username"],
            password=values["password"],
            facts=form.facts,
            by=signed_in(request),
        )
        messages.success(request, "The new credentials work and are in use.")
        done = reverse("gateways:detail", args=[gateway.pk])
        return HttpResponseClientRedirect(done) if is_partial(request) else redirect(done)
    crumbs = [("Private Cloud Gateways", reverse("gateways:list")), (gateway.display_name, "")]
    context = {"gateway": gateway, "account": account, "form": form, "crumbs": crumbs}
    template = "_credentials.html" if is_partial(request) else "credentials.html"
    return render(request, f"gateways/{template}", context, status=422 if form.errors else 200)
