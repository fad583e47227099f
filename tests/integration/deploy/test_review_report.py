"""The report of a draft: who reads it, what its stream sends, how long it is kept, what it looks at."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from clusters.deploy.checks import check_draft, scope_of
from clusters.deploy.drafts import discard_draft
from clusters.deploy.offers import get_offer
from clusters.deploy.request import request_of
from clusters.deploy_live import DeployReviewChannel
from clusters.models import DeployDraft
from gateways.models import PrerequisiteReport
from gateways.prerequisites import WantedMachine, run_checks
from gateways.prerequisites.actions import KEPT, link_token, share_report
from gateways.prerequisites.report import Report
from palette_portal.orchestration.changes import Change
from palette_portal.tenants.models import Role
from tests.engine import run_due_steps
from tests.factories import amelia, bao, carla, make_project, make_user
from tests.integration.deploy.test_review import export
from tests.integration.deploy.walk import NEEDED, DeployWalk, make_old, text_of, the_report

# Who sees it


def test_report_is_opened_and_shared_by_those_who_deploy(reviewed: DeployWalk) -> None:
    reviewed.withhold()
    page = text_of(reviewed.report())
    report, editor = the_report(), Client()
    url = reverse("accounts:report", args=[report.pk])
    editor.force_login(make_user("pia", Role.PROJECT_EDITOR, project=reviewed.project))

    shown = text_of(editor.get(url))
    shared = editor.post(reverse("accounts:report-share", args=[report.pk]))

    assert url in page
    assert '<a href="/clusters/" aria-current="page">' in shown
    assert "Prerequisites of Cluster payments-prod" in shown and "You need the role" not in shown
    assert shared.status_code == 302
    report.refresh_from_db()
    link = Client().get(reverse("accounts:shared-report", args=[link_token(report)]))
    assert NEEDED in text_of(link) and reviewed.account.password not in text_of(link)
    script = editor.get(reverse("accounts:report-export", args=[report.pk, "govc"]))
    assert NEEDED in text_of(script)


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


def test_stream_of_a_check_that_runs_does_not_work_out_the_review(
    reviewed: DeployWalk, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    reviewed.ask_for_report()
    where = {"draft_id": str(reviewed.draft.pk), "report_id": str(the_report().pk)}
    subscription = DeployReviewChannel().open(reviewed.user, where, {})
    assert subscription is not None

    with django_assert_max_num_queries(3):
        (message,) = subscription.snapshot()

    assert 'id="prerequisite-report"' in message.html


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
    reviewed.withhold()
    states = [export(reviewed)["prerequisites"]]
    reviewed.ask_for_report()
    states.append(export(reviewed)["prerequisites"])
    run_due_steps()
    states.append(export(reviewed)["prerequisites"])
    make_old(the_report())
    states.append(export(reviewed)["prerequisites"])

    assert [state["state"] for state in states] == ["not checked", "checking", "failed", "outdated"]
    assert [bool(state["checked_at"]) for state in states] == [False, False, True, True]
    assert NEEDED in states[2]["failed"][0]


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


# What it looks at


@pytest.mark.parametrize(
    ("own_folder", "level", "name"),
    [("infrastructure", "failed", "infrastructure"), ("shop", "passed", "shop"), ("", "passed", "vm")],
)
def test_names_count_in_the_clusters_own_folder(
    reviewed: DeployWalk, own_folder: str, level: str, name: str
) -> None:
    folders = get_offer(reviewed.account).inventory.folders
    root = next(folder.moid for folder in folders if not folder.path)
    wanted = replace(scope_of(request_of(reviewed.draft)), folder_moid=root, own_folder=own_folder)
    wanted = replace(wanted, machines=(WantedMachine("jump-host", 2, 4096, 20),))

    (line,) = (line for line in run_checks(reviewed.account, wanted).lines if line.key == "names")

    assert (line.level, line.object_name) == (level, name)


def test_report_knows_the_image_and_what_memory_is_free(reviewed: DeployWalk) -> None:
    scope = scope_of(request_of(reviewed.draft))

    there = run_checks(reviewed.account, scope)
    missing = run_checks(reviewed.account, replace(scope, image_template="missing"))

    assert (there.image_is_there, missing.image_is_there) == (True, False)
    assert there.free_memory_mib.keys() == {place.compute_cluster_moid for place in scope.places}
    assert all(free > 0 for free in there.free_memory_mib.values())
    assert Report.from_json(there.as_json()) == there
