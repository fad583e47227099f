"""The check that the review waits for: started once, streamed, shared, and what Deploy takes from it."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from clusters.deploy.checks import check_draft, report_of, scope_of
from clusters.deploy.drafts import discard_draft
from clusters.deploy.request import request_of
from clusters.deploy_live import DeployReviewChannel
from clusters.models import Cluster, DeployDraft
from gateways.logins import LOGINS
from gateways.models import CloudAccount, PrerequisiteReport
from gateways.models.pages import FRESH_FOR
from gateways.prerequisites.actions import KEPT, link_token, share_report
from gateways.prerequisites.report import Report
from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.models import Operation, Step, StepState
from palette_portal.tenants.models import AuditRow, Role
from tests.engine import make_waiting_steps_due, run_due_steps
from tests.factories import amelia, bao, carla, make_project, make_user
from tests.integration.deploy.test_review import export
from tests.integration.deploy.walk import DeployWalk, text_of

PRIVILEGE = "VirtualMachine.Config.CPUCount"


@pytest.fixture
def reviewed(walk: DeployWalk) -> DeployWalk:
    walk.to_review()
    return walk


def the_report() -> PrerequisiteReport:
    return PrerequisiteReport.objects.get()


def withhold(walk: DeployWalk) -> None:
    walk.lab.withhold(PRIVILEGE, on=walk.draft.pages["placement"]["values"]["folder"])


def make_old(report: PrerequisiteReport) -> None:
    assert report.finished_at is not None
    earlier = FRESH_FOR + timedelta(seconds=1)
    PrerequisiteReport.objects.filter(pk=report.pk).update(
        finished_at=report.finished_at - earlier, created_at=report.created_at - earlier
    )


# When it starts


def test_opening_asks_for_the_check_and_shows_what_is_known(reviewed: DeployWalk) -> None:
    page = text_of(reviewed.get("review"))

    assert 'hx-trigger="load"' in page and "Not checked yet." in page
    assert "payments-prod-cp-1" in page and "10.10.183.20" in page and "About 11 minutes" in page
    assert "472 GB" in page, "from the inventory that the wizard has read"
    assert not PrerequisiteReport.objects.exists()


def test_answer_is_the_part_with_its_stream_and_a_foot_that_waits(reviewed: DeployWalk) -> None:
    part = text_of(reviewed.ask_for_report())

    report = the_report()
    assert "<html" not in part
    assert f"/streams/deploy/{reviewed.draft.pk}/{report.pk}/" in part
    assert 'id="deploy-foot" hx-swap-oob="true"' in part and "The prerequisites are being checked." in part
    assert (report.project, report.cloud_account) == (reviewed.project, reviewed.account)
    assert report.about == "Cluster payments-prod"
    row = AuditRow.objects.get(action="check-prerequisites")
    assert (row.user, row.project) == (reviewed.user, reviewed.project)


def test_check_without_script_leads_back_to_the_review(reviewed: DeployWalk) -> None:
    url = reverse("clusters:deploy-check", args=[reviewed.draft.pk])

    response = reviewed.client.post(url)

    assert response.status_code == 302 and response.url == reviewed.url("review")


def test_second_opening_takes_the_check_that_runs_and_then_its_report(reviewed: DeployWalk) -> None:
    reviewed.ask_for_report()
    reviewed.ask_for_report()
    run_due_steps()

    page = text_of(reviewed.report())

    assert PrerequisiteReport.objects.count() == Operation.objects.count() == 1
    assert 'hx-trigger="load"' not in page and "sse-connect" not in page


def test_colleague_takes_the_same_report(reviewed: DeployWalk) -> None:
    reviewed.report()
    colleague = Client()
    colleague.force_login(make_user("pia", Role.PROJECT_EDITOR, project=reviewed.project))

    reviewed.ask_for_report(client=colleague)

    assert PrerequisiteReport.objects.count() == 1


def test_check_again_makes_another_report(reviewed: DeployWalk) -> None:
    reviewed.report()
    first = the_report()

    reviewed.report(again="1")

    assert PrerequisiteReport.objects.count() == 2
    assert report_of(reviewed.draft) != first


def test_changed_draft_needs_another_check(reviewed: DeployWalk) -> None:
    reviewed.report()
    reviewed.accept("pools", reviewed.pools(master={"size": "3"}))

    page, response = text_of(reviewed.get("review")), reviewed.deploy()

    assert report_of(reviewed.draft) is None
    assert "Not checked yet." in page
    assert response.status_code == 422 and "have not been checked" in text_of(response)


def test_changed_secret_needs_another_check_and_is_not_in_the_report(reviewed: DeployWalk) -> None:
    draft = reviewed.draft
    draft.variables = json.dumps({"token": "correct horse"})
    draft.save()
    reviewed.report()
    draft.variables = json.dumps({"token": "battery staple"})
    draft.save()

    assert report_of(reviewed.draft) is None
    report = the_report()
    assert "correct horse" not in json.dumps([report.scope, report.content, report.fingerprint])


def test_other_login_needs_another_check(reviewed: DeployWalk) -> None:
    reviewed.report()
    CloudAccount.objects.update(username="somebody-else")

    assert report_of(reviewed.draft) is None


def test_person_who_checks_too_often_has_to_wait_but_may_look(
    reviewed: DeployWalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewed.report()
    monkeypatch.setattr("gateways.check_limits.CHECKS_PER_MINUTE", 0)

    assert reviewed.ask_for_report(again="1").status_code == 409
    assert reviewed.ask_for_report().status_code == 200
    assert PrerequisiteReport.objects.count() == 1


def test_scope_names_what_was_chosen(walk: DeployWalk) -> None:
    walk.to_pools(own_folder="on")
    walk.accept("pools", walk.pools())

    scope = scope_of(request_of(walk.draft))

    assert scope.own_folder == "payments-prod"
    assert [place.zone for place in scope.places] == ["az1", "az2"]
    assert [(machine.name, machine.place) for machine in scope.machines] == [
        ("payments-prod-cp-1", 0),
        ("payments-prod-worker-pool-1", 0),
        ("payments-prod-worker-pool-2", 1),
    ]
    ((pool, needed),) = scope.addresses
    assert (pool, needed.total) == (walk.ip_pool, 6)
    assert [what for what, _ in scope.networks] == ["pod", "service"]


# What Deploy takes from it


def test_deploy_without_a_report_is_refused_and_the_page_asks_for_one(reviewed: DeployWalk) -> None:
    response = reviewed.deploy()

    page = text_of(response)
    assert response.status_code == 422 and "have not been checked" in page
    assert 'hx-trigger="load"' in page
    assert not Cluster.objects.exists()


def test_deploy_while_the_check_runs_is_refused(reviewed: DeployWalk) -> None:
    reviewed.ask_for_report()

    page, response = text_of(reviewed.get("review")), reviewed.deploy()

    assert 'aria-disabled="true"' in page and "The prerequisites are being checked." in page
    assert response.status_code == 422 and "are being checked" in text_of(response)
    assert not Cluster.objects.exists()


def test_deploy_on_an_old_report_is_refused_and_it_is_made_anew(reviewed: DeployWalk) -> None:
    reviewed.report()
    make_old(the_report())

    page, response = text_of(reviewed.get("review")), reviewed.deploy()
    reviewed.ask_for_report()

    assert 'hx-trigger="load"' in page and "more than 15 minutes ago" in page
    assert response.status_code == 422 and "more than 15 minutes ago" in text_of(response)
    assert not Cluster.objects.exists()
    assert PrerequisiteReport.objects.count() == 2


def test_deploy_with_failures_is_refused_until_a_new_check_passes(reviewed: DeployWalk) -> None:
    withhold(reviewed)

    page, response = text_of(reviewed.report()), reviewed.deploy()

    assert "1 failed" in page and "Put right what failed first" in page
    assert response.status_code == 422 and PRIVILEGE in text_of(response)
    assert reviewed.url("placement") in text_of(response)
    reviewed.lab.grant_all()
    reviewed.report(again="1")
    assert reviewed.deploy().status_code == 302 and Cluster.objects.count() == 1


def test_deploy_with_warnings_goes_on(reviewed: DeployWalk) -> None:
    reviewed.lab.withhold("Vsan.Cluster.ShallowRekey")

    page = text_of(reviewed.report())

    assert "0 failed" in page and the_report().level == "warning"
    assert reviewed.deploy().status_code == 302


def test_deploy_looks_once_more(reviewed: DeployWalk) -> None:
    reviewed.report()
    withhold(reviewed)

    response = reviewed.deploy()

    assert response.status_code == 422 and PRIVILEGE in text_of(response)
    assert not Cluster.objects.exists()


# What can go wrong


def test_refused_login_is_a_failed_line_and_is_not_tried_for_ever(reviewed: DeployWalk) -> None:
    CloudAccount.objects.update(password="forgotten")

    pages = [text_of(reviewed.report(again="1")) for _ in range(LOGINS + 3)]

    reviewed.account.refresh_from_db()
    assert "1 failed" in pages[0] and reviewed.account.refused_at is not None
    assert reviewed.account.refused_logins <= LOGINS
    assert all("1 failed" in page for page in pages)
    assert reviewed.deploy().status_code == 422


def test_certificate_that_is_not_trusted_is_a_failed_line(reviewed: DeployWalk) -> None:
    CloudAccount.objects.update(thumbprint_sha256="AA:" * 31 + "AA")

    page = text_of(reviewed.report())

    assert "1 failed" in page and [line.key for line in Report.from_json(the_report().content).failed] == [
        "login"
    ]


def test_worker_that_is_killed_in_the_middle_is_followed_by_another(
    reviewed: DeployWalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewed.ask_for_report()

    class Killed(BaseException):
        pass

    def die(*_arguments: object, **_options: object) -> None:
        raise Killed

    with monkeypatch.context() as killing, pytest.raises(Killed):
        killing.setattr("gateways.prerequisites.steps.run_checks", die)
        run_due_steps()
    step = Step.objects.get()
    assert step.state == StepState.RUNNING and the_report().is_running
    assert "are being checked" in text_of(reviewed.deploy())

    Step.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    make_waiting_steps_due(step.operation)
    run_due_steps()

    assert the_report().level == "passed"
    assert reviewed.deploy().status_code == 302


def test_account_that_cannot_be_used_any_more_is_not_checked(reviewed: DeployWalk) -> None:
    reviewed.gateway.__class__.objects.filter(pk=reviewed.gateway.pk).update(state="Error")

    assert reviewed.ask_for_report().status_code == 409
    assert not PrerequisiteReport.objects.exists()


# Who sees it


def test_report_is_opened_and_shared_by_those_who_deploy(reviewed: DeployWalk) -> None:
    withhold(reviewed)
    page = text_of(reviewed.report())
    report, editor = the_report(), Client()
    url = reverse("accounts:report", args=[report.pk])
    editor.force_login(make_user("pia", Role.PROJECT_EDITOR, project=reviewed.project))

    shown = text_of(editor.get(url))
    shared = editor.post(reverse("accounts:report-share", args=[report.pk]))

    assert url in page
    assert "Prerequisites of Cluster payments-prod" in shown and "You need the role" not in shown
    assert shared.status_code == 302
    report.refresh_from_db()
    link = Client().get(reverse("accounts:shared-report", args=[link_token(report)]))
    assert PRIVILEGE in text_of(link) and reviewed.account.password not in text_of(link)
    script = editor.get(reverse("accounts:report-export", args=[report.pk, "govc"]))
    assert PRIVILEGE in text_of(script)


def test_report_is_read_in_the_project_and_hidden_from_strangers(reviewed: DeployWalk) -> None:
    reviewed.report()
    report, client = the_report(), Client()
    url = reverse("accounts:report", args=[report.pk])
    other = make_user("olga", Role.PROJECT_ADMIN, project=make_project(name="ledger"))

    for reader in (
        make_user("vera", Role.PROJECT_VIEWER, project=reviewed.project),
        make_user("emil", Role.SUPPORT),
        amelia(),
    ):
        client.force_login(reader)
        assert client.get(url).status_code == 200
    for stranger in (other, carla()):
        client.force_login(stranger)
        assert client.get(url).status_code == 404
        assert client.get(reverse("accounts:report-export", args=[report.pk, "csv"])).status_code == 404
        assert reviewed.ask_for_report(client=client).status_code == 404


def test_viewer_neither_checks_nor_shares(reviewed: DeployWalk) -> None:
    reviewed.report()
    client = Client()
    client.force_login(make_user("vera", Role.PROJECT_VIEWER, project=reviewed.project))

    assert reviewed.ask_for_report(client=client).status_code == 403
    assert client.post(reverse("accounts:report-share", args=[the_report().pk])).status_code == 403
    assert PrerequisiteReport.objects.count() == 1


# The stream


def test_stream_sends_the_report_then_machines_and_the_foot(reviewed: DeployWalk) -> None:
    reviewed.ask_for_report()
    report = the_report()
    where = {"draft_id": str(reviewed.draft.pk), "report_id": str(report.pk)}
    subscription = DeployReviewChannel().open(reviewed.user, where, {})
    assert subscription is not None

    (before,) = subscription.snapshot()
    run_due_steps()
    (after,) = subscription.changed(Change(report.tenant_id, "prerequisite-report", report.pk))

    assert 'id="prerequisite-report"' in before.html and "deploy-foot" not in before.html
    for part in ("prerequisite-report", "deploy-machines", "deploy-foot"):
        assert f'id="{part}"' in after.html
    assert 'type="submit"' in after.html and after.html.count('hx-swap-oob="true"') == 3
    step = Change(report.tenant_id, "prerequisite-report", report.pk, step_id=report.pk)
    assert subscription.changed(step) == []


def test_stream_says_nothing_of_a_draft_that_changed(reviewed: DeployWalk) -> None:
    reviewed.ask_for_report()
    where = {"draft_id": str(reviewed.draft.pk), "report_id": str(the_report().pk)}
    subscription = DeployReviewChannel().open(reviewed.user, where, {})
    assert subscription is not None
    reviewed.accept("pools", reviewed.pools(master={"size": "3"}))

    assert subscription.snapshot() == []


def test_stream_is_closed_to_strangers_and_to_those_who_only_look(reviewed: DeployWalk) -> None:
    reviewed.ask_for_report()
    where = {"draft_id": str(reviewed.draft.pk), "report_id": str(the_report().pk)}
    viewer = make_user("vera", Role.PROJECT_VIEWER, project=reviewed.project)

    for user in (carla(), viewer):
        assert DeployReviewChannel().open(user, where, {}) is None
    for wrong in ({**where, "draft_id": where["report_id"]}, {**where, "report_id": where["draft_id"]}):
        assert DeployReviewChannel().open(reviewed.user, wrong, {}) is None
    assert DeployReviewChannel().open(bao(), where, {}) is not None


# What is kept


def test_report_of_a_discarded_draft_goes_as_others_do(reviewed: DeployWalk) -> None:
    reviewed.report()
    first, draft = the_report(), reviewed.draft
    discard_draft(draft=draft, by=reviewed.user)
    make_old(first)

    for number in range(KEPT):
        other = DeployDraft.objects.create(
            project=draft.project, pages=draft.pages, variables=draft.variables
        )
        other.profile_version = draft.profile_version
        other.created_at += timedelta(seconds=number)
        other.save()
        check_draft(other, by=reviewed.user)

    assert not PrerequisiteReport.objects.filter(pk=first.pk).exists()
    assert PrerequisiteReport.objects.count() == KEPT


def test_reports_that_others_deploy_on_or_read_are_kept(reviewed: DeployWalk) -> None:
    reviewed.report()
    first = the_report()
    for _ in range(KEPT):
        reviewed.report(again="1")

    assert PrerequisiteReport.objects.count() == KEPT + 1
    share_report(report=first, by=reviewed.user)
    for report in PrerequisiteReport.objects.all():
        make_old(report)
    reviewed.report(again="1")
    assert PrerequisiteReport.objects.count() == KEPT + 1
    assert PrerequisiteReport.objects.filter(pk=first.pk).exists()


# JSON, and what it costs


def test_export_says_how_the_check_stands(reviewed: DeployWalk) -> None:
    withhold(reviewed)
    states = [export(reviewed)["prerequisites"]]
    reviewed.ask_for_report()
    states.append(export(reviewed)["prerequisites"])
    run_due_steps()
    states.append(export(reviewed)["prerequisites"])
    make_old(the_report())
    states.append(export(reviewed)["prerequisites"])

    assert [state["state"] for state in states] == ["not checked", "checking", "failed", "outdated"]
    assert [bool(state["checked_at"]) for state in states] == [False, False, True, True]
    assert PRIVILEGE in states[2]["failed"][0]


def test_review_with_its_report_asks_the_database_little(
    reviewed: DeployWalk, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    reviewed.report()

    with django_assert_max_num_queries(24):
        reviewed.get("review")


def test_check_asks_the_database_as_little_with_many_reports(
    reviewed: DeployWalk, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(KEPT):
        reviewed.report(again="1")

    with django_assert_max_num_queries(30):
        reviewed.ask_for_report()
