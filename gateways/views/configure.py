"""The Configure wizard: one view for its pages, one for each part that a choice redraws, one for Confirm."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from gateways.actions.confirm import AlreadyConfirmed, ConfigurationRefused, confirm_configuration
from gateways.check_limits import check_allowed
from gateways.drafts import (
    ADDRESSES,
    PLACEMENT,
    credentials_of,
    get_draft,
    open_reason,
    save_complete,
    save_unfinished,
)
from gateways.forms.addresses import AddressesForm
from gateways.forms.placement import PlacementForm
from gateways.forms.vcenter import VCenterForm
from gateways.forms.wizard_form import WizardForm
from gateways.models import ConfigureDraft, PrivateCloudGateway
from gateways.placement import CHOICES, Choices, cached_inventory, fetch_inventory
from gateways.prerequisites.configuring import check_draft, report_of
from gateways.report_pages import report_context
from gateways.states import check_configurable
from gateways.views.loading import get_gateway_for_change
from gateways.wizard import PAGES, SUMMARY, Page, applies, current_page, find_page, neighbour, rail, sections
from palette_portal.http import is_partial
from palette_portal.tenants.requests import signed_in
from palette_portal.vsphere.errors import VSphereError

# What the buttons of a page's foot send as "then".
EXIT, BACK, UPDATE = "exit", "back", "update"
FIELDS = {PLACEMENT: "gateways/_placement_fields.html", ADDRESSES: "gateways/_address_fields.html"}
NEED = "gateways/_address_need.html"


@dataclass(frozen=True)
class Visit:
    """One request to one page of one gateway's wizard."""

    request: HttpRequest
    gateway: PrivateCloudGateway
    draft: ConfigureDraft
    page: Page

    def to(self, url: str) -> HttpResponse:
        return HttpResponseClientRedirect(url) if is_partial(self.request) else redirect(url)

    def render(self, *, status: int = 200, **context: Any) -> HttpResponse:
        template = self.page.part if is_partial(self.request) else "gateways/configure_page.html"
        return render(self.request, template, {**self._context(), **context}, status=status)

    def render_part(self, template: str, **context: Any) -> HttpResponse:
        return render(self.request, template, {**self._context(), **context})

    def _report(self) -> dict[str, Any]:
        if self.page.key != SUMMARY:
            return {}
        report = report_of(self.draft)
        check_url = reverse("gateways:configure-check", args=[self.gateway.pk])
        shown = report_context(report) if report else {}
        return {"needs_check": report is None, "check_url": check_url, **shown}

    def _context(self) -> dict[str, Any]:
        return {
            "gateway": self.gateway,
            "draft": self.draft,
            "page": self.page,
            "part": self.page.part,
            "rail": rail(self.draft, self.page),
            "sections": sections(self.draft, beside=self.page),
            "reopened": open_reason(self.draft, self.page.key),
            "is_first": self.page == PAGES[0],
            **self._report(),
            "crumbs": _crumbs(self.gateway),
        }


@require_safe
@login_required
def configure(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    gateway = _get_configurable(request, gateway_id)
    draft = get_draft(gateway)
    return redirect(current_page(draft).url(draft))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def configure_page(request: HttpRequest, gateway_id: UUID, page: str) -> HttpResponse:
    visit = _get_visit(request, gateway_id, page)
    if not applies(visit.page, visit.draft):
        return _to_first_incomplete(visit)
    form_class = visit.page.form_class
    if form_class is None:
        return HttpResponseNotAllowed(["GET", "HEAD"]) if request.method == "POST" else visit.render()
    return _receive(visit, form_class) if request.method == "POST" else _show(visit, form_class)


@never_cache
@require_safe
@login_required
def placement_fields(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    """The dependent selects: as in the draft, or as chosen on the page; `refresh` reads vCenter anew."""
    visit = _get_visit(request, gateway_id, PLACEMENT)
    if not applies(visit.page, visit.draft):
        return visit.to(current_page(visit.draft).url(visit.draft))
    try:
        cached = None if "refresh" in request.GET else cached_inventory(visit.draft)
        choices = Choices(cached or fetch_inventory(visit.draft))
    except VSphereError as error:
        return visit.render_part(FIELDS[PLACEMENT], error=error, chosen=_choices_of(request))
    if "datacenter" in request.GET:
        form = PlacementForm(draft=visit.draft, choices=choices, initial=request.GET.dict())
    else:
        form = PlacementForm.restore(visit.draft, choices)
    return visit.render_part(FIELDS[PLACEMENT], form=form)


@never_cache
@require_safe
@login_required
def address_fields(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    """The fields that go with scheme, pool and type; with `need` only whether the addresses suffice."""
    visit = _get_visit(request, gateway_id, ADDRESSES)
    if not applies(visit.page, visit.draft):
        return visit.to(current_page(visit.draft).url(visit.draft))
    form = AddressesForm.redraw(visit.draft, request.GET)
    return visit.render_part(FIELDS[ADDRESSES] if "need" not in request.GET else NEED, form=form)


@require_POST
@login_required
def configure_check(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    """Check the prerequisites of what the draft says; the page shows how far it is."""
    visit = _get_visit(request, gateway_id, SUMMARY)
    if not applies(visit.page, visit.draft):
        return visit.to(current_page(visit.draft).url(visit.draft))
    by = signed_in(request)
    check_allowed(by=by, server=credentials_of(visit.draft).server)
    check_draft(visit.draft, by=by)
    if is_partial(request):
        return visit.render_part("gateways/_wizard_prerequisites.html")
    return redirect(visit.page.url(visit.draft))


@require_POST
@login_required
def configure_confirm(request: HttpRequest, gateway_id: UUID) -> HttpResponse:
    gateway = get_gateway_for_change(request, gateway_id)
    try:
        cluster = confirm_configuration(gateway=gateway, by=signed_in(request))
    except AlreadyConfirmed as already:
        cluster = already.cluster
        messages.info(request, f"Provisioning of {gateway} was started already. This is its cluster.")
    except ConfigurationRefused as refused:
        return _refused(request, gateway, refused)
    visit = Visit(request, gateway, get_draft(gateway), PAGES[-1])
    return visit.to(_cluster_url(cluster.pk))


def _refused(
    request: HttpRequest, gateway: PrivateCloudGateway, refused: ConfigurationRefused
) -> HttpResponse:
    visit = Visit(request, gateway, get_draft(gateway), PAGES[-1])
    page = find_page(refused.page) or PAGES[0]
    return visit.render(status=422, refused=refused, refused_page=page, refused_url=page.url(visit.draft))


def _show(visit: Visit, form_class: type[WizardForm]) -> HttpResponse:
    if form_class is PlacementForm and not cached_inventory(visit.draft) and "wait" not in visit.request.GET:
        return visit.render(form=PlacementForm.waiting(visit.draft), waiting=True)
    try:
        return visit.render(form=form_class.open(visit.draft))
    except VSphereError as error:
        return visit.render(form=PlacementForm.waiting(visit.draft), error=error)


def _receive(visit: Visit, form_class: type[WizardForm]) -> HttpResponse:
    then = visit.request.POST.get("then", "")
    if then in (EXIT, BACK):
        _keep_typed(visit, form_class)
        return _leave(visit, then)
    try:
        if then == UPDATE:
            return visit.render(form=_redraw(visit, form_class))
        form = form_class.open(visit.draft, visit.request.POST)
        form.by = signed_in(visit.request)
        return _accept(visit, form) if form.is_valid() else _refuse(visit, form)
    except VSphereError as error:
        _keep_typed(visit, form_class)
        return visit.render(status=422, form=PlacementForm.waiting(get_draft(visit.gateway)), error=error)


def _redraw(visit: Visit, form_class: type[WizardForm]) -> WizardForm:
    """Without JavaScript: the button that brings the choices up to date."""
    if form_class is AddressesForm:
        return AddressesForm.redraw(visit.draft, visit.request.POST)
    choices = Choices(cached_inventory(visit.draft) or fetch_inventory(visit.draft))
    return PlacementForm(
        draft=visit.draft, choices=choices, initial=PlacementForm.typed(visit.draft, visit.request.POST)
    )


def _accept(visit: Visit, form: WizardForm) -> HttpResponse:
    draft = save_complete(
        gateway=visit.gateway,
        page=visit.page.key,
        values=form.values(),
        by=signed_in(visit.request),
        reopen=form.reopens(visit.draft),
        **form.columns(),
    )
    following = neighbour(visit.page, 1) or PAGES[-1]
    return visit.to(following.url(draft))


def _refuse(visit: Visit, form: WizardForm) -> HttpResponse:
    """What was typed is kept, so that it is typed once only; a password that was refused is not."""
    if not isinstance(form, VCenterForm):
        _keep_typed(visit, type(form))
    elif not form.password_was_refused:
        _keep_typed(visit, VCenterForm)
        form.show_as_stored(get_draft(visit.gateway))
    return visit.render(status=422, form=form)


def _keep_typed(visit: Visit, form_class: type[WizardForm]) -> None:
    data = visit.request.POST
    save_unfinished(
        gateway=visit.gateway,
        page=visit.page.key,
        values=form_class.typed(visit.draft, data),
        by=signed_in(visit.request),
        **form_class.typed_columns(visit.draft, data),
    )


def _leave(visit: Visit, then: str) -> HttpResponse:
    before = neighbour(visit.page, -1)
    if then == BACK and before:
        return visit.to(before.url(visit.draft))
    messages.success(visit.request, f"The configuration of {visit.gateway} is saved. Continue at any time.")
    return visit.to(_list_url())


def _to_first_incomplete(visit: Visit) -> HttpResponse:
    first = current_page(visit.draft)
    reason = open_reason(visit.draft, first.key)
    messages.warning(visit.request, f"First complete the page {first.title}. {reason}".strip())
    return visit.to(first.url(visit.draft))


def _get_configurable(request: HttpRequest, gateway_id: UUID) -> PrivateCloudGateway:
    gateway = get_gateway_for_change(request, gateway_id)
    check_configurable(gateway)
    return gateway


def _get_visit(request: HttpRequest, gateway_id: UUID, key: str) -> Visit:
    page = find_page(key)
    if page is None:
        raise Http404
    gateway = _get_configurable(request, gateway_id)
    return Visit(request, gateway, get_draft(gateway), page)


def _choices_of(request: HttpRequest) -> dict[str, str]:
    """What was chosen while vCenter did not answer, so that trying again goes on from there."""
    return {choice: request.GET[choice] for choice in CHOICES if choice in request.GET}


def _crumbs(gateway: PrivateCloudGateway) -> list[tuple[str, str]]:
    detail = reverse("gateways:detail", args=[gateway.pk])
    return [("Private Cloud Gateways", _list_url()), (gateway.display_name, detail), ("Configure", "")]


def _list_url() -> str:
    return reverse("gateways:list")


def _cluster_url(cluster_id: UUID) -> str:
    return reverse("clusters:detail", kwargs={"cluster_id": cluster_id})
