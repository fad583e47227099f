"""Add-on profiles in a browser: put in order and deployed with the wizard, attached to a running cluster."""

from playwright.sync_api import Page, expect

from clusters.models import Cluster
from tests.browser.people import sign_in
from tests.browser.test_day_two import cluster  # noqa: F401
from tests.browser.test_deploy import (  # noqa: F401
    CheckAccessible,
    Worker,
    ahead,
    forget_refusals,
    paolos,
    press,
    shoot,
    walk,
)
from tests.factories import bao
from tests.integration.deploy.walk import METALLB, DeployWalk, make_add_on
from tests.lab.fixtures import lab, lab_server  # noqa: F401


def test_add_on_profiles_are_put_in_order_and_deployed(
    paolos: Page,  # noqa: F811
    walk: DeployWalk,  # noqa: F811
    worker: Worker,
    portal: str,
    check_accessible: CheckAccessible,
    quiet: list[str],
) -> None:
    page = paolos
    range_ = {"name": "RANGE", "display_name": "Range", "required": True}
    values = {"metallb": 'addresses: ["{{.spectro.var.RANGE}}"]\n'}
    make_add_on(walk.project)
    make_add_on(walk.project, "more-metrics")
    make_add_on(walk.project, "load-balancer", METALLB, variables=[range_], values=values)
    ahead(walk.to_profile)
    page.goto(f"{portal}{walk.url('profile')}")

    for name in ("monitoring", "more-metrics", "load-balancer"):
        page.get_by_label("Another add-on profile").select_option(label=f"{name} 1.0.0")
        page.get_by_role("button", name="Attach").press("Enter")
        expect(page.locator(".add-on b", has_text=name)).to_be_visible()
    press(page, "Continue")
    expect(page.locator("#id_add_ons_error")).to_contain_text("Metrics Server is in monitoring 1.0.0 and in")
    check_accessible(page)
    shoot(page, "2-profile-refused", quiet)
    page.get_by_role("button", name="Detach more-metrics").press("Enter")
    expect(page.locator(".add-on")).to_have_count(2)
    page.get_by_role("button", name="Move load-balancer up").press("Enter")
    expect(page.locator(".add-on b").first).to_have_text("load-balancer")
    expect(page.get_by_role("button", name="Move load-balancer up")).to_be_focused()
    shoot(page, "2-profile-add-ons", quiet)
    press(page, "Continue")

    expect(page.get_by_role("heading", name="Variables of load-balancer 1.0.0")).to_be_visible()
    press(page, "Continue")
    expect(page.get_by_text("Range is needed.")).to_be_visible()
    page.get_by_label("Range").fill("10.1.0.0/28")
    check_accessible(page)
    shoot(page, "3-parameters-add-ons", quiet)
    press(page, "Continue")
    expect(page.locator("#id_cloud_account")).to_be_visible()
    ahead(walk.accept, "placement", walk.placement())
    ahead(walk.accept, "pools", walk.pools())
    page.goto(f"{portal}{walk.url('review')}")
    expect(page.get_by_text("load-balancer 1.0.0")).to_be_visible()
    expect(page.locator("#prerequisite-report")).to_contain_text("Resolve the name")
    worker().result()
    expect(page.locator("#prerequisite-report")).to_contain_text("0 failed")
    page.get_by_role("button", name="Deploy", exact=True).click()

    page.wait_for_url(lambda url: "/deploy/" not in url)
    made = Cluster.objects.get()
    assert [str(add_on) for add_on in made.add_ons.all()] == ["load-balancer 1.0.0", "monitoring 1.0.0"]
    expect(page.locator("#summary")).to_contain_text("load-balancer 1.0.0")
    expect(page.locator("#packs")).to_contain_text("metallb 0.15.3 · load-balancer 1.0.0")
    forget_refusals(quiet)


def test_add_on_profile_is_attached_and_detached(
    page: Page,
    portal: str,
    cluster: Cluster,  # noqa: F811
    quiet: list[str],
    check_accessible: CheckAccessible,
) -> None:
    assert cluster.project is not None
    make_add_on(cluster.project)
    sign_in(page, portal, bao())
    page.goto(f"{portal}/clusters/{cluster.pk}/update/")

    page.get_by_label("Another add-on profile").select_option(label="monitoring 1.0.0")
    expect(page.locator(".add-on b")).to_have_text("monitoring")
    expect(page.get_by_role("heading", name="Pack parameters of monitoring 1.0.0")).to_be_visible()
    check_accessible(page)
    page.get_by_role("button", name="Review changes").click()
    expect(page.locator("#update-plan")).to_contain_text("monitoring 1.0.0 is attached.")
    shoot(page, "attach", quiet)
    page.get_by_role("button", name="Detach monitoring").click()
    expect(page.locator(".add-on")).to_have_count(0)
    page.go_back()
    expect(page.locator(".add-on b")).to_have_text("monitoring")
    page.get_by_role("button", name="Review changes").click()
    page.get_by_role("button", name="Confirm").click()

    page.wait_for_url(f"**/clusters/{cluster.pk}/")
    assert [str(add_on) for add_on in cluster.add_ons.all()] == ["monitoring 1.0.0"]
    expect(page.locator("#summary")).to_contain_text("monitoring 1.0.0")
