"""Cluster profiles as a person uses them: made, edited, published, compared, copied, taken away and back."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from clusters.profiles import actions
from clusters.profiles.models import ProfileVersion
from clusters.profiles.variables import Variable, VariableType
from palette_portal.tenants.models import User
from tests.browser.people import sign_in
from tests.browser.test_gateways import SCREENSHOTS, show_themes
from tests.factories import amelia, make_cluster, make_project
from tests.integration.profiles.stage import layer, make_profile, make_published, path

CALICO = """\
# Narrow: the tunnel takes its share.
encapsulation: VXLAN
mtu: 1400
blockSize: 26
natOutgoing: true
"""


@pytest.fixture
def admin(portal: str) -> User:
    return amelia()


@pytest.fixture
def draft(admin: User) -> ProfileVersion:
    """A second version with own values, add-ons and variables; a cluster is made of the first."""
    version = make_published(admin, name="vSphere east", description="For the plants in the east.")
    make_cluster(project=make_project(), name="shop", profile_version=version)
    draft = actions.new_version(of=version, version="1.1.0", by=admin)
    addresses = Variable("ADDRESSES", "Addresses of load balancers", required=True)
    token = Variable("OIDC_CLIENT", "Client of the sign-in", masked=True)
    replicas = Variable("REPLICAS", type=VariableType.NUMBER, default="2")
    for variable in (addresses, token, replicas):
        actions.set_variable(version=draft, variable=variable, by=admin)
    actions.change_layer(
        layer=layer(draft, "cni"), pack="calico", pack_version="3.32.2", values=CALICO, by=admin
    )
    for pack, number, text in (
        ("metallb", "0.15.3", 'addresses:\n  - "{{.spectro.var.ADDRESSES}}"\n'),
        ("metrics-server", "0.8.1", "replicas: {{.spectro.var.REPLICAS}}\n"),
    ):
        actions.add_layer(version=draft, pack=pack, pack_version=number, values=text, by=admin)
    return draft


def test_profile_is_created_edited_and_published(page: Page, portal: str, admin: User) -> None:
    sign_in(page, portal, admin)
    page.get_by_role("link", name="Profiles").click()
    page.get_by_role("link", name="Create profile").click()
    page.get_by_label("Name", exact=True).fill("vSphere east")
    page.get_by_label("Description").fill("For the plants in the east.")
    page.get_by_role("button", name="Create profile").click()
    expect(page.get_by_role("heading", name="vSphere east")).to_be_visible()

    page.get_by_role("link", name="Add variable").click()
    page.get_by_label("Name", exact=True).fill("ADDRESSES")
    page.get_by_label("A value is needed").check()
    page.get_by_role("button", name="Save variable").click()
    page.get_by_role("link", name="Add add-on").click()
    values = page.get_by_label("Values (YAML)")
    expect(values).to_have_value(re.compile("192.0.2.10"))
    values.fill('addresses:\n  - "{{.spectro.var.ADDRESSES}}"\n')
    page.get_by_role("button", name="Add layer").click()
    expect(page.locator(".layer[data-kind=add-on]")).to_contain_text("MetalLB")
    expect(page.locator(".layer[data-kind=add-on]")).to_contain_text("ADDRESSES")

    page.get_by_role("button", name="Publish").click()
    page.get_by_role("button", name="Publish version").click()
    expect(page.locator(".title-row .pill")).to_have_text("Published")
    expect(page.get_by_role("link", name="Edit Calico")).to_have_count(0)
    assert ProfileVersion.objects.get().is_published


def test_wrong_yaml_is_shown_at_its_line_and_not_saved(
    page: Page, portal: str, admin: User, quiet: list[str]
) -> None:
    version = make_profile(admin)
    sign_in(page, portal, admin)
    page.goto(portal + path("layer-change", version, "calico"))
    values = page.get_by_label("Values (YAML)")

    values.fill("encapsulation: VXLAN\nmtu: big\nblockSize: 26\nspeed: 1\n")
    page.get_by_role("button", name="Save layer").click()
    expect(page.locator(".gutter .wrong")).to_have_text(["2", "4"])
    expect(page.locator(".line-problems")).to_contain_text("mtu must be a whole number.")
    expect(values).to_be_focused()
    keep_picture(page, "profiles-wrong-values")

    values.fill("encapsulation: [\n")
    page.get_by_role("button", name="Save layer").click()
    expect(page.locator(".line-problems")).to_contain_text("This is not YAML")
    assert layer(version, "cni").values == ""

    values.fill("mtu: 1400\n")
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("The values are valid.")).to_be_visible()
    assert layer(version, "cni").values == ""
    page.get_by_role("button", name="Save layer").click()
    expect(page.locator(".layer[data-kind=cni]")).to_contain_text("Own values")
    assert layer(version, "cni").values == "mtu: 1400\n"
    quiet.clear()  # the browser's own lines about the two answers 422


def test_values_are_checked_while_they_are_typed(page: Page, portal: str, admin: User) -> None:
    version = make_profile(admin)
    sign_in(page, portal, admin)
    page.goto(portal + path("layer-change", version, "calico"))
    values = page.get_by_label("Values (YAML)")

    values.fill("encapsulation: VXLAN\nmtu: big\n")
    expect(page.locator(".line-problems")).to_contain_text("mtu must be a whole number.")
    expect(page.locator(".gutter .wrong")).to_have_text(["2"])
    expect(page.locator("#layer-changes")).to_contain_text("mtu: big")
    expect(values).to_be_focused()

    values.press("Control+End")
    values.press_sequentially("blockSize: 26")
    values.fill("mtu: 1400\n")
    expect(page.locator(".gutter .wrong")).to_have_count(0)
    expect(page.locator(".line-problems .err")).to_have_count(0)
    assert layer(version, "cni").values == ""


def test_editor_numbers_lines_and_indents(page: Page, portal: str, admin: User) -> None:
    version = make_profile(admin)
    sign_in(page, portal, admin)
    page.goto(portal + path("layer-change", version, "calico"))
    values = page.get_by_label("Values (YAML)")

    values.fill("a:\n")
    values.press("Tab")
    values.press_sequentially("b: 1")
    expect(values).to_have_value("a:\n  b: 1")
    expect(page.locator(".gutter span")).to_have_text(["1", "2"])
    values.press("Escape")
    values.press("Tab")
    expect(values).not_to_be_focused()


def test_other_pack_brings_its_values(page: Page, portal: str, admin: User) -> None:
    version = make_profile(admin)
    sign_in(page, portal, admin)
    page.goto(portal + path("layer-change", version, "calico"))

    page.get_by_label("Pack", exact=True).select_option("cilium@1.20.3")
    expect(page.get_by_label("Values (YAML)")).to_have_value(re.compile("routingMode: tunnel"))
    page.get_by_role("button", name="Save layer").click()
    expect(page.locator(".layer[data-kind=cni]")).to_contain_text("Cilium 1.20.3")


def test_new_version_is_compared_with_the_one_before(
    page: Page, portal: str, admin: User, draft: ProfileVersion
) -> None:
    sign_in(page, portal, admin)
    page.goto(portal + path("version", draft))

    page.get_by_role("link", name="Compare with 1.0.0").click()

    calico = page.get_by_role("region", name="Calico 3.32.2", exact=True).first
    expect(page.get_by_text("Calico 3.33.0 → Calico 3.32.2")).to_be_visible()
    expect(calico.locator("[data-mark='-']").first).to_be_visible()
    expect(page.locator("[data-mark='+']", has_text="mtu: 1400")).to_be_visible()


def test_profile_is_cloned_exported_imported_and_deleted(
    page: Page, portal: str, admin: User, tmp_path: Path
) -> None:
    version = make_published(admin, name="vSphere east")
    sign_in(page, portal, admin)
    page.goto(portal + path("version", version))
    page.get_by_role("button", name="More").click()
    page.get_by_role("link", name="Clone").click()
    page.get_by_label("Name", exact=True).fill("vSphere west")
    page.get_by_role("button", name="Clone profile").click()
    expect(page.get_by_role("heading", name="vSphere west")).to_be_visible()

    page.get_by_role("button", name="More").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as YAML").click()
    file = tmp_path / "profile.yaml"
    download.value.save_as(file)
    page.goto(portal + path("import"))
    page.get_by_label("File").set_input_files(file)
    page.get_by_label("Name").fill("vSphere north")
    page.get_by_role("button", name="Import profile").click()
    expect(page.get_by_role("heading", name="vSphere north")).to_be_visible()

    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Delete profile").click()
    page.get_by_label("to confirm").fill("vSphere north")
    page.get_by_role("dialog").get_by_role("button", name="Delete profile").click()
    expect(page.get_by_role("table")).to_contain_text("vSphere west")
    expect(page.get_by_role("table")).not_to_contain_text("vSphere north")


def test_import_with_a_problem_shows_its_line(page: Page, portal: str, admin: User, quiet: list[str]) -> None:
    text = actions.export_version(make_profile(admin, name="vSphere east"))
    sign_in(page, portal, admin)
    page.goto(portal + path("import"))

    page.get_by_label("Or its text").fill(text.replace("pack: calico", "pack: flannel"))
    page.get_by_role("button", name="Import profile").click()

    expect(page.locator(".line-problems")).to_contain_text("no pack flannel")
    expect(page.locator(".gutter .wrong")).to_have_count(1)
    quiet.clear()


def keep_picture(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


PAGES: dict[str, Callable[[ProfileVersion], str]] = {
    "list": lambda draft: path("list"),
    "create": lambda draft: path("create"),
    "import": lambda draft: path("import"),
    "draft": lambda draft: path("version", draft),
    "compare": lambda draft: path("version-compare", draft),
    "layer": lambda draft: path("layer-change", draft, "calico"),
    "variable": lambda draft: path("variable-change", draft, "OIDC_CLIENT"),
    "new-version": lambda draft: path("version-new", draft),
    "clone": lambda draft: path("version-clone", draft),
}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible_in_both_themes_and_on_a_phone(
    page: Page,
    portal: str,
    admin: User,
    draft: ProfileVersion,
    check_accessible: Callable[[Page], None],
    name: str,
) -> None:
    sign_in(page, portal, admin)
    page.goto(portal + PAGES[name](draft))

    show_themes(page, f"profiles-{name}", check_accessible)
