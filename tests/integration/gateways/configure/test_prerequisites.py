"""The report in the last page of the Configure wizard: what it is about, and what it refuses."""

import pytest
from django.test import Client
from django.urls import reverse

from clusters.models import Cluster
from gateways.check_limits import CheckRefused
from gateways.models import PrerequisiteReport
from gateways.prerequisites.configuring import report_of, scope_of
from gateways.prerequisites.report import Report
from palette_portal.tenants.models import AuditRow, Role
from tests.engine import run_due_steps
from tests.factories import carla, make_gateway, make_pool, make_user
from tests.integration.gateways.configure.walk import HTMX, POOL

pytestmark = pytest.mark.django_db


def check(walk, client=None, **headers):
    url = reverse("gateways:configure-check", args=[walk.gateway.pk])
    return (client or walk.client).post(url, headers=headers)


def checked(walk):
    check(walk)
    run_due_steps()
    return PrerequisiteReport.objects.latest("created_at")


def withhold_on_folder(walk, *privileges):
    walk.lab.withhold(*privileges, on=walk.draft.pages["placement"]["values"]["folder"])


def test_page_asks_for_a_check_when_it_opens(walk):
    walk.to_summary()

    page = walk.get("summary").content.decode()

    assert 'hx-trigger="load"' in page and "Not checked yet." in page
    assert not PrerequisiteReport.objects.exists()


def test_check_is_about_what_was_chosen(walk):
    walk.to_summary()

    response = check(walk)
    run_due_steps()

    assert response.url == walk.url("summary")
    report = PrerequisiteReport.objects.get()
    assert (report.gateway, report.level) == (walk.gateway, "passed")
    found = {line.key: line for line in Report.from_json(report.content).lines}
    assert found["privileges:folder"].object_name == "palette-gateways"
    assert found["privileges:compute-cluster"].object_name == "cluster-1"
    assert "r_u-2204-0-k-1312-0" in found["image-template"].object_name
    page = walk.get("summary").content.decode()
    assert "Passed" in page and 'hx-trigger="load"' not in page
    assert AuditRow.objects.filter(action="check-prerequisites", object_kind="gateway").count() == 1


def test_choices_are_shown_beside_the_report(walk):
    walk.to_summary()
    checked(walk)

    shown = walk.get("summary").context["sections"]

    assert [section.title for section in shown] == ["vCenter", "Placement", "IP allocation"]
    assert all(section.rows and section.edit_url for section in shown)


def test_answer_to_htmx_is_the_part_with_its_stream(walk):
    walk.to_summary()

    part = walk.client.post(reverse("gateways:configure-check", args=[walk.gateway.pk]), headers=HTMX)

    page = part.content.decode()
    assert "<html" not in page and f"/streams/prerequisites/{PrerequisiteReport.objects.get().pk}/" in page


def test_changed_choice_needs_another_check(walk):
    walk.to_summary()
    checked(walk)

    walk.accept("placement", walk.placement(nodes="3"))
    walk.accept("addresses", POOL)

    assert report_of(walk.draft) is None
    assert "Not checked yet." in walk.get("summary").content.decode()


def test_failures_refuse_confirm_until_a_new_check_passes(walk):
    walk.to_summary()
    withhold_on_folder(walk, "VirtualMachine.Config.CPUCount")
    assert checked(walk).level == "failed"

    refused = walk.confirm()

    assert refused.status_code == 422
    assert "VirtualMachine.Config.CPUCount" in refused.content.decode()
    assert not Cluster.objects.exists()
    walk.lab.grant_all()
    assert checked(walk).level == "passed"
    assert walk.confirm().status_code == 302
    assert Cluster.objects.count() == 1


def test_warnings_let_confirm_go_on(walk):
    walk.to_summary()
    withhold_on_folder(walk, "Vsan.Cluster.ShallowRekey")
    assert checked(walk).level == "warning"

    assert walk.confirm().status_code == 302


def test_confirm_works_without_a_report(walk):
    walk.to_summary()

    assert walk.confirm().status_code == 302


def test_machines_and_addresses_are_those_of_the_gateway(walk):
    walk.to_summary()
    pool, draft = make_pool(walk.gateway), walk.draft
    draft.pages["placement"]["values"]["nodes"] = 3
    draft.pages["addresses"]["values"]["pool"] = str(pool.pk)

    scope = scope_of(draft)

    names = [machine.name for machine in scope.machines]
    assert names == [f"{walk.gateway.name}-cp-{number}" for number in (1, 2, 3)]
    ((found, needed),) = scope.addresses
    assert (found, needed.total) == (pool, 5)


def test_draft_without_its_password_is_a_failed_line(walk):
    walk.to_summary()
    check(walk)
    draft = walk.draft
    draft.password = ""
    draft.save()

    run_due_steps()

    (failed,) = Report.from_json(PrerequisiteReport.objects.get().content).failed
    assert "not complete any more" in failed.sentence


def test_unfinished_wizard_is_not_checked(walk):
    walk.to_addresses()

    assert check(walk).url == walk.url("addresses")
    assert not PrerequisiteReport.objects.exists()


def test_person_who_checks_too_often_has_to_wait(walk, monkeypatch):
    walk.to_summary()

    def refuse(**_arguments):
        raise CheckRefused("Wait a minute, then try again.")

    monkeypatch.setattr("gateways.views.configure.check_allowed", refuse)

    assert check(walk).status_code == 409


def test_strangers_and_supporters_start_no_check(walk):
    walk.to_summary()
    client = Client()

    client.force_login(carla())
    assert check(walk, client).status_code == 404
    client.force_login(make_user("sam", Role.SUPPORT))
    assert check(walk, client).status_code == 403


def test_check_is_posted(walk):
    assert walk.client.get(reverse("gateways:configure-check", args=[walk.gateway.pk])).status_code == 405


def test_report_of_a_gateway_is_read_by_support_and_not_by_strangers(walk):
    walk.to_summary()
    report = checked(walk)
    client, url = Client(), reverse("accounts:report", args=[report.pk])

    client.force_login(make_user("sam", Role.SUPPORT))
    page = client.get(url).content.decode()
    assert f"Prerequisites of Gateway {walk.gateway.name}" in page
    assert '<a href="/gateways/" aria-current="page">' in page
    client.force_login(carla())
    assert client.get(url).status_code == 404


def test_gateways_have_their_own_reports(walk):
    walk.to_summary()
    checked(walk)
    other = make_gateway(name="other")

    assert not PrerequisiteReport.objects.filter(gateway=other).exists()
