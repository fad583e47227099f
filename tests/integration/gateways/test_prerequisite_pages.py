"""Reports of prerequisites over HTTP: started, done by the engine, shown, exported, shared, refused."""

import csv
import io
import re
import subprocess
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from gateways.models import SHARED_FOR, CloudAccount, PrerequisiteReport
from gateways.prerequisites.actions import KEPT, link_token, share_report, start_check
from gateways.prerequisites.report import Report
from palette_portal.http import Conflict
from palette_portal.orchestration.models import Operation
from palette_portal.tenants.models import AuditRow, Role
from palette_portal.vsphere.session import sessions
from tests.engine import run_due_steps
from tests.factories import bao, carla, make_project, make_user
from tests.integration.gateways.account_pages import make_account, path

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_session_left():
    yield
    sessions.close_all()


def report_path(name, report, *more):
    return reverse(f"accounts:{name}", args=[report.pk, *more])


@pytest.fixture
def report(account, admin):
    """Of a check that found nothing wrong."""
    return done(start_check(account=account, by=admin))


@pytest.fixture
def lacking(account, admin, lab):
    """Of a check of an account that lacks privileges."""
    lab.withhold("StorageProfile.View", on="group-d1")
    lab.withhold("Vsan.Cluster.ShallowRekey")
    return done(start_check(account=account, by=admin))


def done(report):
    run_due_steps()
    report.refresh_from_db()
    assert report.finished_at is not None
    return report


# The check


def test_check_is_started_shown_and_done_by_a_worker(client, account):
    response = client.post(path("check", account))

    report = PrerequisiteReport.objects.get()
    assert response.url == report_path("report", report)
    page = client.get(response.url).content.decode()
    assert "Checking" in page and f"/streams/prerequisites/{report.pk}/" in page
    done(report)
    page = client.get(response.url).content.decode()
    assert "All privileges of the Spectro role are there." in page and "sse-connect" not in page
    assert report.level == "passed"
    assert AuditRow.objects.get(object_kind="cloud-account").action == "check-prerequisites"
    assert Operation.objects.get().state == "Succeeded"


def test_check_from_the_list_goes_to_its_report(client, account):
    response = client.post(path("check", account), headers={"hx-request": "true"})

    assert response["HX-Redirect"] == report_path("report", PrerequisiteReport.objects.get())


def test_second_check_while_one_runs_is_the_same(client, account):
    first, second = client.post(path("check", account)), client.post(path("check", account))

    assert first.url == second.url
    assert PrerequisiteReport.objects.count() == Operation.objects.count() == 1


def test_account_without_a_password_is_not_checked(client, account):
    CloudAccount.objects.update(password="")

    assert client.post(path("check", account)).status_code == 409
    assert not PrerequisiteReport.objects.exists()


def test_person_who_checks_too_often_has_to_wait(client, account, monkeypatch):
    monkeypatch.setattr("gateways.check_limits.CHECKS_PER_MINUTE", 0)

    assert "Wait a minute" in client.post(path("check", account)).content.decode()
    cache.clear()


def test_refused_login_is_a_failed_line_and_turns_the_account_red(account, admin, lab):
    CloudAccount.objects.update(password="forgotten")

    report = done(start_check(account=account, by=admin))

    failed = Report.from_json(report.content).failed
    assert [line.key for line in failed] == ["login"]
    account.refresh_from_db()
    assert account.refused_logins == 1


def test_vcenter_that_is_gone_is_a_failed_line(account, admin, lab):
    lab.unreachable(60)

    report = done(start_check(account=account, by=admin))

    assert report.level == "failed"
    assert "127.0.0.1" in Report.from_json(report.content).failed[0].sentence


def test_account_deleted_meanwhile_leaves_nothing_to_do(account, admin):
    start_check(account=account, by=admin)
    account.delete()

    assert run_due_steps() == 1
    assert Operation.objects.get().state == "Succeeded"


def test_old_reports_are_forgotten_but_not_one_that_is_shared(account, admin):
    reports = [done(start_check(account=account, by=admin)) for _ in range(2)]
    share_report(report=reports[0], by=admin)
    for _ in range(KEPT):
        done(start_check(account=account, by=admin))

    left = set(PrerequisiteReport.objects.values_list("pk", flat=True))
    assert (len(left), reports[0].pk in left, reports[1].pk in left) == (KEPT + 1, True, False)


def test_progress_is_stored_while_it_runs(account, admin, monkeypatch):
    report = start_check(account=account, by=admin)
    stages = []

    def note(noted, stage, content):
        stages.append((stage, len(content["lines"])))

    monkeypatch.setattr("gateways.prerequisites.steps.note_stage", note)
    done(report)

    assert [stage for stage, _ in stages] == list(range(6))
    assert [count for _, count in stages] == sorted(count for _, count in stages)


# Export


def test_csv_names_every_line(client, lacking):
    text = client.get(report_path("report-export", lacking, "csv")).content.decode("utf-8-sig")

    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(Report.from_json(lacking.content).lines)
    failed = next(row for row in rows if row["Result"] == "failed")
    assert "StorageProfile.View" in failed["Missing privileges"].split()


@pytest.mark.parametrize(("kind", "ending"), [("csv", "csv"), ("powercli", "ps1"), ("govc", "sh")])
def test_export_is_a_file(client, lacking, kind, ending):
    response = client.get(report_path("report-export", lacking, kind))

    assert response["Content-Disposition"].startswith('attachment; filename="prerequisites-east-')
    assert response["Content-Disposition"].endswith(f'.{ending}"')
    assert response["Cache-Control"] == "private, no-store"


def test_export_of_an_unknown_kind_is_not_found(client, report):
    assert client.get(report_path("report-export", report, "pdf")).status_code == 404


def test_export_waits_for_the_check(client, account, admin):
    report = start_check(account=account, by=admin)

    assert client.get(report_path("report-export", report, "csv")).status_code == 409


def test_scripts_are_offered_only_when_a_privilege_is_missing(client, report, lacking):
    whole, part = (client.get(report_path("report", one)).content.decode() for one in (report, lacking))

    assert "PowerCLI script" not in whole
    assert "PowerCLI script" in part and "govc script" in part


def test_govc_script_of_a_report_is_valid_shell(client, lacking, tmp_path):
    script = tmp_path / "roles.sh"
    script.write_bytes(client.get(report_path("report-export", lacking, "govc")).content)

    assert subprocess.run(["sh", "-n", script], capture_output=True, text=True).stderr == ""


# Share


def test_link_is_read_without_signing_in_and_shows_no_secret(client, lacking, admin, lab):
    shared = client.post(report_path("report-share", lacking))

    # Signed with the second in which the page is drawn, so it is taken from there.
    (link,) = set(re.findall(r"/cloud-accounts/shared/[\w:-]+/", client.get(shared.url).content.decode()))
    lacking.refresh_from_db()
    stranger = Client()
    response = stranger.get(link)
    page = response.content.decode()
    assert response.status_code == 200
    assert "StorageProfile.View" in page and lab.password not in page
    assert "Sign out" not in page and admin.email not in page
    assert (response["Referrer-Policy"], response["X-Robots-Tag"]) == ("no-referrer", "noindex, nofollow")
    script = stranger.get(reverse("accounts:shared-export", args=[link_token(lacking), "govc"]))
    assert b"StorageProfile.View" in script.content
    assert AuditRow.objects.filter(action="share-report").count() == 1


def test_revoked_link_is_not_found(client, report, admin):
    share_report(report=report, by=admin)
    link = reverse("accounts:shared-report", args=[link_token(report)])

    client.post(report_path("report-revoke", report))

    assert Client().get(link).status_code == 404
    assert AuditRow.objects.filter(action="revoke-report-link").count() == 1


def test_new_link_ends_the_one_before(client, report, admin):
    share_report(report=report, by=admin)
    before = link_token(report)
    share_report(report=report, by=admin)

    assert Client().get(reverse("accounts:shared-report", args=[before])).status_code == 404
    assert Client().get(reverse("accounts:shared-report", args=[link_token(report)])).status_code == 200


def test_link_ends_after_seven_days(client, report, admin):
    share_report(report=report, by=admin)
    token = link_token(report)
    PrerequisiteReport.objects.update(shared_at=report.shared_at - SHARED_FOR - timedelta(seconds=1))

    assert Client().get(reverse("accounts:shared-report", args=[token])).status_code == 404


def test_forged_link_is_not_found(client, report, admin):
    share_report(report=report, by=admin)
    token = link_token(report)

    for forged in (token[:-1], f"x{token}", "x", token.replace(":", "")):
        assert Client().get(reverse("accounts:shared-report", args=[forged])).status_code == 404


def test_running_check_is_not_shared(account, admin):
    with pytest.raises(Conflict, match="still runs"):
        share_report(report=start_check(account=account, by=admin), by=admin)


# Rights


@pytest.mark.parametrize("name", ["report", "report-share", "report-revoke"])
def test_report_of_another_tenant_is_not_found(client, report, name):
    client.force_login(carla())

    method = client.get if name == "report" else client.post
    assert method(report_path(name, report)).status_code == 404
    assert client.post(path("check", report.cloud_account)).status_code == 404


def test_editor_reads_the_report_of_an_account_for_the_project(client, report):
    client.force_login(bao())

    page = client.get(report_path("report", report)).content.decode()
    assert "Prerequisites of east" in page and "You need the role" in page
    assert client.get(report_path("report-export", report, "csv")).status_code == 200
    for name in ("report-share", "report-revoke"):
        assert client.post(report_path(name, report)).status_code == 403
    assert client.post(path("check", report.cloud_account)).status_code == 403


def test_viewer_sees_neither_report_nor_guide(client, report):
    client.force_login(make_user("vera", Role.PROJECT_VIEWER, project=make_project()))

    assert client.get(report_path("report", report)).status_code == 404
    assert client.get(path("prerequisites")).status_code == 403


@pytest.mark.parametrize("name", ["report-share", "report-revoke"])
def test_changes_are_posted(client, report, name):
    assert client.get(report_path(name, report)).status_code == 405


def test_check_is_posted(client, account):
    assert client.get(path("check", account)).status_code == 405


def test_signed_out_people_are_sent_to_the_sign_in(report):
    response = Client().get(report_path("report", report))

    assert response.status_code == 302 and "/account/login/" in response.url


# Pages


def test_report_page_costs_as_many_queries_with_many_other_reports(client, account, admin, report):
    def count():
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(report_path("report", report))
        return len(queries)

    count()
    before = count()
    done(start_check(account=account, by=admin))
    done(start_check(account=account, by=admin))

    assert count() == before <= 12


def test_account_page_links_its_latest_report(client, account, report):
    page = client.get(path("detail", account)).content.decode()

    assert report_path("report", report) in page


def test_account_list_offers_the_check_to_those_who_may(client, account):
    page = client.get(path("list")).content.decode()
    assert f'hx-post="{path("check", account)}"' in page

    client.force_login(bao())
    assert "hx-post" not in client.get(path("list")).content.decode().partition("account-list")[2]


@pytest.mark.parametrize("version", ["8.0", "7.0", "6.7"])
def test_guide_lists_the_privileges_of_each_version(client, admin, version):
    page = client.get(path("prerequisites"), {"version": version}).content.decode()

    group = "VM Storage Policies" if version == "8.0" else "Profile-driven storage"
    assert group in page and "9 privileges" in page and "102 privileges" in page
    assert ("general support" in page) == (version == "6.7")


def test_guide_of_an_unknown_version_is_not_found(client, admin):
    assert client.get(path("prerequisites"), {"version": "5.5"}).status_code == 404


def test_account_of_a_project_is_checked_by_its_admin(client, gateway, lab, db):
    project = make_project()
    account = make_account(gateway, lab, project=project)
    client.force_login(make_user("pia", Role.PROJECT_ADMIN, project=project))

    assert client.post(path("check", account)).status_code == 302
    assert PrerequisiteReport.objects.get().subject.project_id == project.pk
