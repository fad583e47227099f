"""What a running check streams to the pages that show its report."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.template.loader import render_to_string

from gateways.models import PrerequisiteReport
from gateways.report_pages import report_context
from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.stream import Message, Subscription
from palette_portal.tenants.models import User


class ReportChannel:
    """/streams/prerequisites/<uuid>/; ?page=whole for the report's own page."""

    def open(
        self, user: User, path_arguments: Mapping[str, str], query: Mapping[str, str]
    ) -> Subscription | None:
        report_id = UUID(path_arguments["report_id"])
        report = PrerequisiteReport.objects.visible_to(user).filter(pk=report_id).first()
        if report is None:
            return None
        page = _Page(report_id, is_whole=query.get("page") == "whole")
        return Subscription(
            tenant_id=report.tenant_id,
            subjects=frozenset({(report.subject.kind, report_id)}),
            key=("prerequisites", page),
            snapshot=page.snapshot,
            log_after=lambda number: [],
            changed=page.changed,
        )


@dataclass(frozen=True)
class _Page:
    report_id: UUID
    is_whole: bool

    def snapshot(self) -> list[Message]:
        reports = PrerequisiteReport.objects.select_related("cloud_account", "gateway")
        report = reports.filter(pk=self.report_id).first()
        if report is None:
            return []
        context = {**report_context(report), "is_whole_page": self.is_whole, "oob": True}
        html = render_to_string("gateways/_prerequisite_report.html", context)
        return [Message(event="patch", html=html, id=None)]

    def changed(self, change: Change) -> list[Message]:
        return self.snapshot() if change.step_id is None else []
