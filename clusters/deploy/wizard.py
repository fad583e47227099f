"""The deploy wizard as data: its pages in order, how far a draft has come, and what it says so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from clusters.deploy.drafts import (
    BASICS,
    PARAMETERS,
    PLACEMENT,
    POOLS,
    PROFILE,
    first_incomplete,
    is_complete,
    open_reason,
    page_values,
)
from clusters.deploy.forms.basics import BasicsForm
from clusters.deploy.forms.parameters import ParametersForm
from clusters.deploy.forms.placement import PlacementForm
from clusters.deploy.forms.pools import MASTER, PoolsForm
from clusters.deploy.forms.profile import ProfileForm
from clusters.deploy.forms.wizard_form import WizardForm
from clusters.models import AddressAllocation, DeployDraft
from clusters.names import label

REVIEW = "review"


@dataclass(frozen=True)
class Page:
    """A page applies when the pages before it are complete."""

    key: str
    title: str
    form_class: type[WizardForm] | type[PoolsForm] | None
    # What its form reads before it can be shown.
    needs_vcenter: bool = False
    busy: str = "Checking…"

    @property
    def part(self) -> str:
        return f"clusters/_deploy_{self.key}.html"

    def url(self, draft: DeployDraft) -> str:
        return reverse("clusters:deploy-page", args=[draft.pk, self.key])


PAGES = (
    Page(BASICS, "Basic information", BasicsForm, busy="Checking the name…"),
    Page(PROFILE, "Cluster Profile", ProfileForm),
    Page(PARAMETERS, "Parameters", ParametersForm, busy="Checking values against the packs…"),
    Page(PLACEMENT, "Placement", PlacementForm, needs_vcenter=True, busy="Checking the placement…"),
    Page(POOLS, "Node pools", PoolsForm, needs_vcenter=True, busy="Checking pools, zones and addresses…"),
    Page(REVIEW, "Review", None),
)


def find_page(key: str) -> Page | None:
    return next((page for page in PAGES if page.key == key), None)


def neighbour(page: Page, distance: int) -> Page | None:
    index = PAGES.index(page) + distance
    return PAGES[index] if 0 <= index < len(PAGES) else None


def current_page(draft: DeployDraft) -> Page:
    """The first page that has to be filled in; the review when all are."""
    key = first_incomplete(draft)
    return next(page for page in PAGES if page.key == (key or REVIEW))


def applies(page: Page, draft: DeployDraft) -> bool:
    return PAGES.index(page) <= PAGES.index(current_page(draft))


@dataclass(frozen=True)
class RailStep:
    number: int
    title: str
    state: str
    href: str = ""
    reason: str = ""


def rail(draft: DeployDraft, current: Page) -> list[RailStep]:
    return [
        RailStep(
            number=number,
            title=page.title,
            state=_rail_state(draft, page, current),
            href=page.url(draft) if page != current and applies(page, draft) else "",
            reason=open_reason(draft, page.key),
        )
        for number, page in enumerate(PAGES, start=1)
    ]


def start_rail() -> list[RailStep]:
    """Before there is a draft."""
    states = ["current", *("todo" for _ in PAGES[1:])]
    return [RailStep(number, page.title, states[number - 1]) for number, page in enumerate(PAGES, start=1)]


def _rail_state(draft: DeployDraft, page: Page, current: Page) -> str:
    if page == current:
        return "current"
    return "done" if is_complete(draft, page.key) and applies(page, draft) else "todo"


@dataclass(frozen=True)
class Row:
    label: str
    value: str
    note: str = ""
    mono: bool = False


@dataclass(frozen=True)
class Section:
    title: str
    edit_url: str
    rows: Sequence[Row]


def sections(draft: DeployDraft, *, beside: Page) -> list[Section]:
    """What the complete pages say: for the review, and for "So far" beside another page."""
    others = [page for page in PAGES if page != beside and is_complete(draft, page.key)]
    return [Section(page.title, page.url(draft), _ROWS[page.key](draft)) for page in others]


def _basics_rows(draft: DeployDraft) -> list[Row]:
    values = page_values(draft, BASICS)
    described = [Row("Description", values["description"])] if values["description"] else []
    tags = [Row("Tags", ", ".join(values["tags"]))] if values["tags"] else []
    return [Row("Name", values["name"], mono=True), Row("Project", str(draft.project)), *described, *tags]


def _profile_rows(draft: DeployDraft) -> list[Row]:
    values = page_values(draft, PROFILE)
    add_ons = [_profile_row("Add-on profile", names) for names in values.get("add_on_names", [])]
    return [_profile_row("Profile", values), *add_ons]


def _profile_row(label: str, names: dict[str, Any]) -> Row:
    return Row(label, f"{names['profile']} {names['version_name']}", names["scope"])


def _parameters_rows(draft: DeployDraft) -> list[Row]:
    values = page_values(draft, PARAMETERS)
    changed = ", ".join(values["layers"])
    variables = [Row("Variables", str(values["variables"]))] if values["variables"] else []
    return [Row("Changed values", changed or "None: as in the profile"), *variables]


def _placement_rows(draft: DeployDraft) -> list[Row]:
    values, keys = page_values(draft, PLACEMENT), len(page_values(draft, PLACEMENT)["ssh_keys"])
    own = f"/{label(page_values(draft, BASICS)['name'])}" if values["own_folder"] else ""
    return [
        Row("Cloud account", values["account_name"], values["vcenter"]),
        Row("Gateway", values["gateway_name"]),
        Row("Datacenter", values["names"]["datacenter"]),
        Row("Folder", values["names"]["folder"] + own),
        Row("Image folder", values["image_folder"]),
        Row("SSH keys", str(keys) if keys else "None"),
        Row("NTP servers", ", ".join(values["ntp_servers"]) or "ESXi host time"),
        *_address_rows(values),
    ]


def _address_rows(values: dict[str, Any]) -> list[Row]:
    if values["allocation"] == AddressAllocation.STATIC:
        return [Row("Addresses", "Static IP")]
    domain = [Row("Search domain", values["search_domain"])] if values["search_domain"] else []
    return [Row("Addresses", "DHCP"), Row("Endpoint", f"{values['endpoint_host']}:6443", mono=True), *domain]


def _pools_rows(draft: DeployDraft) -> list[Row]:
    values = page_values(draft, POOLS)
    return [_pool_row(pool) for pool in (values[MASTER], *values["workers"])]


def _pool_row(pool: dict[str, Any]) -> Row:
    size = f"{pool['size']} to {pool['maximum_size']}" if pool.get("autoscales") else str(pool["size"])
    machines = "machine" if size == "1" else "machines"
    each = f"{pool['num_cpus']} CPU, {pool['memory_gb']} GB, {pool['disk_gib']} GB disk"
    zones = ", ".join(zone["zone"] for zone in pool["zones"])
    addresses = f", addresses of {pool['ip_pool_name']}" if pool["ip_pool_name"] else ""
    return Row(pool["name"], f"{size} {machines}: {each}", f"in {zones}{addresses}")


_ROWS = {
    BASICS: _basics_rows,
    PROFILE: _profile_rows,
    PARAMETERS: _parameters_rows,
    PLACEMENT: _placement_rows,
    POOLS: _pools_rows,
}
