"""The step of a check: it only looks, so it may run twice; its report is recorded once."""

from collections.abc import Sequence

from django.utils import timezone

from gateways.drafts import VCENTER, credentials_of, get_draft, is_complete
from gateways.models import CloudAccount, PrerequisiteReport
from gateways.prerequisites.actions import announce_report, note_stage
from gateways.prerequisites.report import Line, Report
from gateways.prerequisites.running import run_checks
from gateways.prerequisites.scope import Scope
from palette_portal.orchestration.outcomes import Done, Outcome
from palette_portal.orchestration.steps import StepContext
from palette_portal.vsphere.session import Credentials

ATTEMPTS = 3


def ensure_prerequisites_checked(context: StepContext) -> Outcome:
    reports = PrerequisiteReport.objects.select_related("cloud_account", "gateway")
    report = reports.filter(pk=context.subject.id).first()
    if report is None or not report.is_running:
        return Done("Nobody waits for the report any more.")
    found = _check(report, context.attempt)

    def write() -> None:
        PrerequisiteReport.objects.filter(pk=report.pk, finished_at=None).update(
            content=found.as_json(), level=found.level, finished_at=timezone.now()
        )
        announce_report(report)

    return Done(f"{len(found.failed)} failed, {len(found.warnings)} warnings.", write=write)


def _check(report: PrerequisiteReport, attempt: int) -> Report:
    if attempt > ATTEMPTS:
        sentence = "Something unexpected went wrong in the portal while it checked."
        return Report((Line("unanswered", "failed", "Portal", "", sentence, "The worker's log says more."),))
    account = report.cloud_account or _of_draft(report)
    if account is None:
        sentence = "The wizard's page vCenter is not complete any more."
        return Report((Line("login", "failed", "vCenter", "", sentence, "Complete it and check again."),))

    def progress(stage: int, lines: Sequence[Line]) -> None:
        note_stage(report, stage, Report(tuple(lines)).as_json())

    return run_checks(account, Scope.from_json(report.scope), progress=progress)


def _of_draft(report: PrerequisiteReport) -> CloudAccount | Credentials | None:
    assert report.gateway is not None
    draft = get_draft(report.gateway)
    return credentials_of(draft) if is_complete(draft, VCENTER) and draft.password else None
