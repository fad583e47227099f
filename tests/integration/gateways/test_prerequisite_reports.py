"""The rows of reports: what the database refuses, who sees them, what their stream sends."""

from uuid import uuid4

import pytest
from django.db import IntegrityError
from django.utils import timezone

from gateways.account_live import AccountChannel
from gateways.models import PrerequisiteReport
from gateways.prerequisites.actions import start_check
from gateways.prerequisites.scope import Place, Scope, WantedMachine
from gateways.report_live import ReportChannel
from ippools.reservations import control_plane
from palette_portal.orchestration.changes import Change
from palette_portal.tenants.models import Role
from tests.engine import run_due_steps
from tests.factories import (
    amelia,
    bao,
    carla,
    make_cloud_account,
    make_gateway,
    make_pool,
    make_project,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def unreachable():
    """An account whose vCenter nobody can reach: the check is short."""
    return make_cloud_account(make_gateway(), vcenter_server="vcenter.invalid", checked_at=timezone.now())


def make_report(account, **fields):
    return PrerequisiteReport.objects.create(
        tenant_id=account.tenant_id, **{"cloud_account": account, **fields}
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"cloud_account": None},
        {"level": "passed"},
        {"finished_at": "2026-11-22T20:00Z"},
        {"share_key": "key"},
        {"deployment": "Cluster shop"},
        {"shared_at": "2026-11-22T20:00Z"},
    ],
)
def test_half_a_fact_is_refused(unreachable, fields):
    with pytest.raises(IntegrityError):
        make_report(unreachable, **fields)


def test_report_is_of_an_account_or_a_gateway_and_not_of_both(unreachable):
    with pytest.raises(IntegrityError):
        make_report(unreachable, gateway=unreachable.gateway)


def test_scope_survives_storage(unreachable):
    pool = make_pool(unreachable.gateway)
    scope = Scope(
        datacenter_moid="dc-1",
        folder_moid="group-v3",
        image_template="template",
        image_will_be_imported=True,
        places=(Place("az1", "domain-1", "resgroup-1", "datastore-1", "network-1"),),
        machines=(WantedMachine("shop-1", 2, 4096, 60),),
        addresses=((pool, control_plane(3)),),
        own_folder="shop",
        networks=(("pod", "172.20.0.0/16"), ("service", "10.96.0.0/12")),
    )

    deployment = {"project": make_project(), "deployment": "Cluster shop"}
    report = start_check(account=unreachable, scope=scope, by=amelia(), **deployment)

    report.refresh_from_db()
    assert Scope.from_json(report.scope) == scope
    pool.delete()
    assert Scope.from_json(report.scope).addresses == ()


def test_project_of_a_report_is_that_of_a_deployment(unreachable):
    with pytest.raises(IntegrityError):
        make_report(unreachable, project=make_project())


def test_report_of_a_deployment_is_seen_in_its_project_and_in_no_other(unreachable):
    ledger = make_project(name="ledger")
    editor, other = bao(), make_user("olga", Role.PROJECT_EDITOR, project=ledger)
    viewer = make_user("vera", Role.PROJECT_VIEWER, project=ledger)
    general = start_check(account=unreachable, by=other)
    own = start_check(account=unreachable, project=ledger, deployment="Cluster ledger", by=other)

    assert list(PrerequisiteReport.objects.visible_to(editor)) == [general]
    assert PrerequisiteReport.objects.visible_to(other).count() == 2
    assert list(PrerequisiteReport.objects.visible_to(viewer)) == [own]
    assert PrerequisiteReport.objects.visible_to(amelia()).count() == 2
    assert PrerequisiteReport.objects.visible_to(carla()).count() == 0


def test_stream_sends_progress_and_result(unreachable):
    user = amelia()
    report = start_check(account=unreachable, by=user)
    subscription = ReportChannel().open(user, {"report_id": str(report.pk)}, {})
    change = Change(report.tenant_id, "prerequisite-report", report.pk)

    (before,) = subscription.snapshot()
    run_due_steps()
    (after,) = subscription.changed(change)

    assert "Checking" in before.html and 'hx-swap-oob="true"' in before.html
    assert "2 failed" in after.html and "cannot be resolved" in after.html
    assert subscription.subjects == frozenset({("prerequisite-report", report.pk)})
    assert (
        subscription.changed(Change(report.tenant_id, "prerequisite-report", report.pk, step_id=uuid4()))
        == []
    )


@pytest.mark.parametrize(
    ("query", "offer"),
    [
        ({"page": "whole"}, 'hx-select="#report-head"'),
        ({}, "Open the report to share, export or print it"),
    ],
)
def test_stream_offers_what_can_be_done_when_the_check_has_ended(unreachable, query, offer):
    user = amelia()
    report = start_check(account=unreachable, by=user)
    subscription = ReportChannel().open(user, {"report_id": str(report.pk)}, query)

    (before,) = subscription.snapshot()
    run_due_steps()
    (after,) = subscription.snapshot()

    assert offer not in before.html
    assert offer in after.html
    assert after.html.count(f"/cloud-accounts/reports/{report.pk}/") == 1


def test_stream_of_a_deleted_report_is_silent(unreachable):
    user = amelia()
    report = start_check(account=unreachable, by=user)
    subscription = ReportChannel().open(user, {"report_id": str(report.pk)}, {})
    report.delete()

    assert subscription.snapshot() == []


def test_stream_is_closed_to_strangers(unreachable):
    report = start_check(account=unreachable, by=amelia())

    assert ReportChannel().open(carla(), {"report_id": str(report.pk)}, {}) is None


def test_check_that_fails_unexpectedly_ends_after_some_attempts(unreachable, monkeypatch):
    def crash(*_arguments, **_options):
        raise RuntimeError("unexpected")

    monkeypatch.setattr("gateways.prerequisites.steps.run_checks", crash)
    report = start_check(account=unreachable, by=amelia())
    operation_steps = report_steps(report)

    for _ in range(4):
        operation_steps.update(due_at=timezone.now())
        run_due_steps()

    report.refresh_from_db()
    assert report.level == "failed"
    assert "unexpected went wrong" in report.content["lines"][0]["sentence"]


def report_steps(report):
    from palette_portal.orchestration.models import Step

    return Step.objects.of(report.subject)


def test_page_of_the_account_hears_of_its_report(unreachable):
    user = amelia()
    subscription = AccountChannel().open(user, {}, {"only": str(unreachable.pk)})

    report = start_check(account=unreachable, by=user)
    (checking,) = subscription.changed(Change(unreachable.tenant_id, "cloud-account", unreachable.pk))
    run_due_steps()
    (done,) = subscription.changed(Change(unreachable.tenant_id, "cloud-account", unreachable.pk))

    assert "Checking" in checking.html and str(report.pk) in checking.html
    assert "Failed" in done.html


def test_start_and_end_of_a_check_are_announced(unreachable, monkeypatch):
    told = []
    monkeypatch.setattr(
        "gateways.prerequisites.actions.announce_subject", lambda subject: told.append(subject.kind)
    )

    start_check(account=unreachable, by=amelia())
    begun = told.copy()
    run_due_steps()

    assert begun == ["prerequisite-report", "cloud-account"]
    assert told[-2:] == ["prerequisite-report", "cloud-account"]
