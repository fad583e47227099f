"""What a running check streams to the review that waits for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.template.loader import render_to_string

from clusters.deploy.checks import report_of
from clusters.deploy.drafts import drafts_of
from clusters.deploy.review_page import review_context
from clusters.models import DeployDraft
from gateways.models import PrerequisiteReport
from gateways.report_pages import report_context
from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.stream import Message, Subscription
from palette_portal.tenants.models import User

REPORT = "gateways/_prerequisite_report.html"
MACHINES, FOOT = "clusters/_deploy_machines.html", "clusters/_deploy_foot.html"


class DeployReviewChannel:
    """/streams/deploy/<draft>/<report>/"""

    def open(
        self, user: User, path_arguments: Mapping[str, str], query: Mapping[str, str]
    ) -> Subscription | None:
        page = _Page(UUID(path_arguments["draft_id"]), UUID(path_arguments["report_id"]))
        draft = drafts_of(user).filter(pk=page.draft_id).first()
        if draft is None:
            return None
        report = PrerequisiteReport.objects.filter(pk=page.report_id, project=draft.project_id).first()
        if report is None:
            return None
        return Subscription(
            tenant_id=report.tenant_id,
            subjects=frozenset({(report.subject.kind, report.pk)}),
            key=("deploy-review", page),
            snapshot=page.snapshot,
            log_after=lambda number: [],
            changed=page.changed,
        )


@dataclass(frozen=True)
class _Page:
    draft_id: UUID
    report_id: UUID

    def snapshot(self) -> list[Message]:
        """Machines and the foot change when the check ends; a draft that changed meanwhile shows nothing."""
        drafts = DeployDraft.objects.select_related("project__tenant", "profile_version__profile")
        draft = drafts.filter(pk=self.draft_id, cluster=None).first()
        report = report_of(draft) if draft else None
        if draft is None or report is None or report.pk != self.report_id:
            return []
        parts, context = [REPORT], report_context(report)
        if not report.is_running:
            parts, context = [REPORT, MACHINES, FOOT], review_context(draft)
        shown = {"draft": draft, "oob": True, **context}
        html = "".join(render_to_string(part, shown) for part in parts)
        return [Message(event="patch", html=html, id=None)]

    def changed(self, change: Change) -> list[Message]:
        return self.snapshot() if change.step_id is None else []
