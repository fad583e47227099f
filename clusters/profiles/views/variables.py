from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from clusters.profiles import actions
from clusters.profiles.actions.drafts import WrongVariable
from clusters.profiles.forms import VariableForm
from clusters.profiles.models import ProfileVersion
from clusters.profiles.variables import Variable, read_variables
from clusters.profiles.views.loading import crumbs, get_draft, url_of
from palette_portal.http import Conflict
from palette_portal.tenants.requests import signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def variable_add(request: HttpRequest, profile_id: UUID, version: str) -> HttpResponse:
    draft = get_draft(request, profile_id, version)
    return _edit(request, draft, VariableForm(request.POST or None), None)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def variable_change(request: HttpRequest, profile_id: UUID, version: str, name: str) -> HttpResponse:
    draft = get_draft(request, profile_id, version)
    variable = _variable(draft, name)
    return _edit(request, draft, VariableForm(request.POST or None, variable=variable), variable)


@require_POST
@login_required
def variable_remove(request: HttpRequest, profile_id: UUID, version: str, name: str) -> HttpResponse:
    draft = get_draft(request, profile_id, version)
    variable = _variable(draft, name)
    actions.remove_variable(version=draft, name=variable.name, by=signed_in(request))
    messages.success(request, f"The variable {variable.name} was removed.")
    return redirect(url_of(draft))


def _edit(
    request: HttpRequest, draft: ProfileVersion, form: VariableForm, variable: Variable | None
) -> HttpResponse:
    if form.is_valid():
        instead_of = variable.name if variable else ""
        try:
            actions.set_variable(
                version=draft, variable=form.variable(), instead_of=instead_of, by=signed_in(request)
            )
        except WrongVariable as wrong:
            for field, message in wrong.errors.items():
                form.add_error(field, message)
        except Conflict as conflict:
            form.add_error(None, conflict.reason)
        else:
            messages.success(request, f"The variable {form.variable().name} was saved.")
            return redirect(url_of(draft))
    context = {
        "form": form,
        "variable": variable,
        "version": draft,
        "back": url_of(draft),
        "crumbs": crumbs(variable.name if variable else "Add variable", version=draft),
    }
    return render(request, "profiles/variable_form.html", context, status=422 if form.errors else 200)


def _variable(draft: ProfileVersion, name: str) -> Variable:
    for variable in read_variables(draft.variables):
        if variable.name == name:
            return variable
    raise Http404
