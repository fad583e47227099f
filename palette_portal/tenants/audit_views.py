from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from palette_portal.http import is_partial
from palette_portal.tenants.forms import AuditFilter
from palette_portal.tenants.models import AuditRow, AuditRowQuerySet
from palette_portal.tenants.permissions import Permission, check_somewhere
from palette_portal.tenants.requests import PortalRequest

ROWS_PER_PAGE = 50


@require_GET
@login_required
def audit_log(request: PortalRequest) -> HttpResponse:
    """Newest first; older rows are asked for by the number of the last one seen, not by page."""
    check_somewhere(request.user, Permission.VIEW_AUDIT)
    visible = AuditRow.objects.visible_to(request.user)
    filter_form = AuditFilter(request.GET)
    wanted = filter_form.cleaned_data if filter_form.is_valid() else {}
    found = _narrowed(visible, q=wanted.get("q", ""), kind=wanted.get("kind", ""))
    if wanted.get("before"):
        found = found.filter(id__lt=wanted["before"])
    rows = list(found.select_related("user", "project")[: ROWS_PER_PAGE + 1])
    context = {"rows": rows[:ROWS_PER_PAGE], "wanted": wanted, "older": _older(rows, wanted)}
    if is_partial(request):
        return render(request, "tenants/_audit_rows.html", context)
    context |= {
        "kinds": visible.order_by("object_kind").values_list("object_kind", flat=True).distinct(),
        "crumbs": [("Tenant Settings", ""), ("Audit log", "")],
    }
    return render(request, "tenants/audit.html", context)


def _narrowed(rows: AuditRowQuerySet, *, q: str, kind: str) -> AuditRowQuerySet:
    if kind:
        rows = rows.filter(object_kind=kind)
    for word in q.split():
        rows = rows.filter(
            Q(object_name__icontains=word)
            | Q(action__icontains=word)
            | Q(user__full_name__icontains=word)
            | Q(user__email__icontains=word)
        )
    return rows


def _older(rows: list[AuditRow], wanted: dict[str, object]) -> str:
    """The query string of the next rows, empty at the end of the log."""
    if len(rows) <= ROWS_PER_PAGE:
        return ""
    kept = {name: str(wanted[name]) for name in ("q", "kind") if wanted.get(name)}
    return urlencode({**kept, "before": str(rows[ROWS_PER_PAGE - 1].pk)})
