"""The deploy wizard: where it starts, one view for its pages, and discarding a draft."""

from typing import cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clusters.deploy.add_ons import BUTTONS
from clusters.deploy.drafts import (
    PLACEMENT,
    create_draft,
    discard_draft,
    draft_name,
    drafts_of,
    save_complete,
    save_unfinished,
)
from clusters.deploy.forms.basics import StartForm
from clusters.deploy.forms.parameters import RESET, ParametersForm
from clusters.deploy.forms.placement import PlacementForm, chosen_account, find_account
from clusters.deploy.forms.pools import ADD, COPY, REMOVE
from clusters.deploy.forms.wizard_form import WizardForm
from clusters.deploy.offers import cached_offer
from clusters.deploy.wizard import PAGES, current_page, neighbour, start_rail
from clusters.models import DeployDraft
from clusters.views.deploy_review import show_review
from clusters.views.deploy_visit import Visit, cluster_url, get_draft, get_visit
from palette_portal.http import is_partial
from palette_portal.tenants.models import Project
from palette_portal.tenants.permissions import Permission, check, check_somewhere
from palette_portal.tenants.requests import signed_in
from palette_portal.vsphere.errors import VSphereError

# What the buttons of a page send as "then".
EXIT, BACK, UPDATE, NEED = "exit", "back", "update", "need"
REDRAWS = (UPDATE, ADD, REMOVE, COPY, RESET, *BUTTONS)
PLACEMENT_FIELDS = "clusters/_deploy_placement_fields.html"
FormClass = type[WizardForm]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def deploy(request: HttpRequest) -> HttpResponse:
    """The first page of a new draft, and the drafts that can be continued."""
    project = _chosen_project(request)
    data = request.POST if request.method == "POST" else None
    form = StartForm(data, project=project, by=signed_in(request))
    if data is None:
        return _start(request, form)
    if "check" in request.GET:
        return _checked_field(form, request.GET["check"])
    return _begin(request, form)


def _chosen_project(request: HttpRequest) -> Project | None:
    """Raise Denied for people who may not deploy there, or nowhere."""
    project: Project | None = getattr(request, "project", None)
    if project is None:
        check_somewhere(signed_in(request), Permission.DEPLOY_CLUSTERS)
    else:
        check(signed_in(request), Permission.DEPLOY_CLUSTERS, project=project)
    return project


def _begin(request: HttpRequest, form: StartForm) -> HttpResponse:
    """A draft is made when its first page is accepted, or when the person leaves with the project chosen."""
    is_exit, is_valid = request.POST.get("then") == EXIT, form.is_valid()
    project = form.chosen_project
    if project is None or not (is_valid or is_exit):
        return _start(request, form, status=422)
    values = form.values() if is_valid else form.typed_values()
    draft = create_draft(project=project, values=values, by=signed_in(request), is_finished=is_valid)
    visit = Visit(request, draft, PAGES[0])
    return _leave(visit, EXIT) if is_exit else visit.to(PAGES[1].url(draft))


def _start(request: HttpRequest, form: StartForm, *, status: int = 200) -> HttpResponse:
    drafts = drafts_of(signed_in(request))
    if form.project is not None:
        drafts = drafts.filter(project=form.project)
    context = {
        "form": form,
        "project": form.project,
        "page": PAGES[0],
        "part": PAGES[0].part,
        "action": reverse("clusters:deploy"),
        "rail": start_rail(),
        "drafts": [(draft, draft_name(draft), current_page(draft)) for draft in drafts],
        "is_first": True,
        "crumbs": [("Clusters", reverse("clusters:list")), ("Deploy", "")],
    }
    template = PAGES[0].part if is_partial(request) else "clusters/deploy_page.html"
    return render(request, template, context, status=status)


@require_safe
@login_required
def deploy_continue(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    draft = get_draft(request, draft_id)
    return redirect(cluster_url(draft) or current_page(draft).url(draft))


@require_POST
@login_required
def deploy_discard(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    draft = get_draft(request, draft_id)
    if url := cluster_url(draft):
        return redirect(url)
    discard_draft(draft=draft, by=signed_in(request))
    messages.success(request, f"The draft of {draft_name(draft)} is discarded.")
    return redirect("clusters:deploy")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def deploy_page(request: HttpRequest, draft_id: UUID, page: str) -> HttpResponse:
    visit = get_visit(request, draft_id, page)
    if url := visit.elsewhere:
        return visit.to(url)
    form_class = cast("FormClass | None", visit.page.form_class)
    if form_class is None:
        return HttpResponseNotAllowed(["GET", "HEAD"]) if request.method == "POST" else show_review(visit)
    return _receive(visit, form_class) if request.method == "POST" else _show(visit, form_class)


@never_cache
@require_safe
@login_required
def placement_fields(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """The selects that hang on the cloud account; `refresh` reads vCenter anew."""
    visit = get_visit(request, draft_id, PLACEMENT)
    if url := visit.elsewhere:
        return visit.to(url)
    account = find_account(visit.draft, request.GET.get("cloud_account", "") or chosen_account(visit.draft))
    try:
        form = PlacementForm.chosen(visit.draft, account, request.GET)
    except VSphereError as error:
        chosen = {"cloud_account": str(account.pk) if account else ""}
        form = PlacementForm(draft=visit.draft, account=account, initial={**request.GET.dict(), **chosen})
        return visit.render_part(PLACEMENT_FIELDS, form=form, error=error, chosen=_chosen(request))
    return visit.render_part(PLACEMENT_FIELDS, form=form)


def _chosen(request: HttpRequest) -> dict[str, str]:
    """What was chosen while vCenter did not answer, so that trying again goes on from there."""
    names = ("datacenter", "folder", "own_folder", "image_folder")
    return {name: request.GET[name] for name in names if name in request.GET}


def _show(visit: Visit, form_class: FormClass) -> HttpResponse:
    if visit.page.needs_vcenter and "wait" not in visit.request.GET and not _has_offer(visit.draft):
        return visit.render(form=form_class.waiting(visit.draft), waiting=True)
    try:
        return visit.render(form=form_class.open(visit.draft))
    except VSphereError as error:
        return visit.render(form=form_class.waiting(visit.draft), error=error)


def _has_offer(draft: DeployDraft) -> bool:
    """Nothing to wait for: it was read a moment ago, or no account is chosen yet."""
    account = find_account(draft, chosen_account(draft))
    return account is None or cached_offer(account) is not None


def _receive(visit: Visit, form_class: FormClass) -> HttpResponse:
    then = visit.request.POST.get("then", "")
    if then in (EXIT, BACK):
        _keep_typed(visit, form_class)
        return _leave(visit, then)
    try:
        return _answer(visit, form_class, then)
    except VSphereError as error:
        if _is_aside(visit.request, then):
            return HttpResponse(status=204)
        _keep_typed(visit, form_class)
        kept = get_draft(visit.request, visit.draft.pk)
        return visit.render(status=422, form=form_class.waiting(kept), error=error)


def _answer(visit: Visit, form_class: FormClass, then: str) -> HttpResponse:
    data = visit.request.POST
    if then.startswith(REDRAWS):
        return visit.render(form=form_class.redraw(visit.draft, data), redrawn=True)
    form = form_class.open(visit.draft, data)
    form.by = signed_in(visit.request)
    if _is_aside(visit.request, then):
        return _check(visit, form, then)
    return _accept(visit, form) if form.is_valid() else _refuse(visit, form)


def _is_aside(request: HttpRequest, then: str) -> bool:
    """A question while the page is being filled in, which nobody waits for."""
    return "check" in request.GET or then == NEED


def _check(visit: Visit, form: WizardForm, then: str) -> HttpResponse:
    """One field, one pack's values, or the addresses that are needed: while the page is being filled in."""
    form.asks_vcenter = False
    if then == NEED:
        return visit.render_part("clusters/_deploy_need.html", form=form)
    form.is_valid()
    wanted = visit.request.GET["check"]
    if isinstance(form, ParametersForm) and (editor := form.editor_named(wanted)):
        return visit.render_part("clusters/_deploy_feedback.html", editor=editor, oob=True)
    return _checked_field(form, wanted)


def _checked_field(form: WizardForm, name: str) -> HttpResponse:
    form.is_valid()
    field = form.field_named(name)
    if field is None:
        raise Http404
    return HttpResponse(field.as_field_group())


def _accept(visit: Visit, form: WizardForm) -> HttpResponse:
    draft = save_complete(
        draft=visit.draft,
        page=visit.page.key,
        values=form.values(),
        by=form.by,
        reopen=form.reopens(visit.draft),
        **form.columns(),
    )
    following = neighbour(visit.page, 1) or PAGES[-1]
    return visit.to(following.url(draft))


def _refuse(visit: Visit, form: WizardForm) -> HttpResponse:
    """What was typed is kept, so that it is typed once only."""
    _keep_typed(visit, type(form))
    return visit.render(status=422, form=form)


def _keep_typed(visit: Visit, form_class: FormClass) -> None:
    data = visit.request.POST
    save_unfinished(
        draft=visit.draft,
        page=visit.page.key,
        values=form_class.typed(visit.draft, data),
        by=signed_in(visit.request),
        **form_class.typed_columns(visit.draft, data),
    )


def _leave(visit: Visit, then: str) -> HttpResponse:
    before = neighbour(visit.page, -1)
    if then == BACK and before:
        return visit.to(before.url(visit.draft))
    messages.success(
        visit.request, f"The draft of {draft_name(visit.draft)} is saved. Continue it at any time."
    )
    return visit.to(reverse("clusters:deploy"))
