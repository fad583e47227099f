"""The check that the review waits for: when it starts, what Deploy takes from it, what goes wrong."""

import json
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clusters.deploy.checks import report_of, scope_of
from clusters.deploy.request import request_of
from clusters.models import Cluster
from gateways.logins import LOGINS
from gateways.models import CloudAccount, PrerequisiteReport
from gateways.prerequisites.report import Report
from palette_portal.orchestration.models import Operation, Step, StepState
from palette_portal.tenants.models import AuditRow, Role
from tests.engine import make_waiting_steps_due, run_due_steps
from tests.factories import make_user
from tests.integration.deploy.walk import NEEDED, DeployWalk, make_old, text_of, the_report

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
    reviewed.withhold()

    page, response = text_of(reviewed.report()), reviewed.deploy()

    assert "1 failed" in page and "Put right what failed first" in page
    assert response.status_code == 422 and NEEDED in text_of(response)
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
    reviewed.withhold()

    response = reviewed.deploy()

    assert response.status_code == 422 and NEEDED in text_of(response)
    assert not Cluster.objects.exists()


# What can go wrong


def test_refused_login_is_a_failed_line_and_is_not_tried_for_ever(reviewed: DeployWalk) -> None:
    CloudAccount.objects.update(password="forgotten")

    cache.clear()
    pages = [text_of(reviewed.report(again="1")) for _ in range(LOGINS + 3)]

    reviewed.account.refresh_from_db()
    assert "1 failed" in pages[0] and "not known" in pages[0] and reviewed.account.refused_at is not None
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
