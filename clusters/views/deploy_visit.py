"""Load a draft of the deploy wizard and check the right to it in one call."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from clusters.deploy.drafts import draft_name, open_reason
from clusters.deploy.wizard import PAGES, Page, applies, current_page, find_page, rail, sections
from clusters.models import DeployDraft
from palette_portal.http import is_partial
from palette_portal.tenants.models import Project
from palette_portal.tenants.permissions import Permission, check
from palette_portal.tenants.requests import signed_in


@dataclass(frozen=True)
class Visit:
    """One request to one page of one draft."""

    request: HttpRequest
    draft: DeployDraft
    page: Page

    def to(self, url: str) -> HttpResponse:
        return HttpResponseClientRedirect(url) if is_partial(self.request) else redirect(url)

    def render(self, *, status: int = 200, **context: Any) -> HttpResponse:
        template = self.page.part if is_partial(self.request) else "clusters/deploy_page.html"
        return render(self.request, template, {**self.context(), **context}, status=status)

    def render_part(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        return render(self.request, template, {**self.context(), **context}, status=status)

    def context(self) -> dict[str, Any]:
        name = draft_name(self.draft)
        return {
            "draft": self.draft,
            "project": self.draft.project,
            "name": name,
            "page": self.page,
            "part": self.page.part,
            "action": self.page.url(self.draft),
            "rail": rail(self.draft, self.page),
            "sections": sections(self.draft, beside=self.page),
            "reopened": open_reason(self.draft, self.page.key),
            "is_first": self.page == PAGES[0],
            "crumbs": [
                ("Clusters", reverse("clusters:list")),
                ("Deploy", reverse("clusters:deploy")),
                (name, ""),
            ],
        }

    @property
    def elsewhere(self) -> str:
        """Where to go instead: to the cluster, or to the page that has to be filled in first."""
        return cluster_url(self.draft) or self._url_to_go_first()

    def _url_to_go_first(self) -> str:
        if applies(self.page, self.draft):
            return ""
        first = current_page(self.draft)
        reason = open_reason(self.draft, first.key)
        messages.warning(self.request, f"First complete the page {first.title}. {reason}".strip())
        return first.url(self.draft)


def get_draft(request: HttpRequest, draft_id: UUID) -> DeployDraft:
    """Raise Denied for people who may look into the project but not deploy there."""
    user = signed_in(request)
    drafts = DeployDraft.objects.filter(project__in=Project.objects.visible_to(user)).select_related(
        "project__tenant", "profile_version__profile"
    )
    draft = get_object_or_404(drafts, pk=draft_id)
    check(user, Permission.DEPLOY_CLUSTERS, project=draft.project)
    return draft


def get_visit(request: HttpRequest, draft_id: UUID, key: str) -> Visit:
    page = find_page(key)
    if page is None:
        raise Http404
    return Visit(request, get_draft(request, draft_id), page)


def cluster_url(draft: DeployDraft) -> str:
    """What was deployed from the draft; empty while nothing was."""
    return reverse("clusters:detail", args=[draft.cluster_id]) if draft.cluster_id else ""
