"""The Configure wizard as data: its pages in order, how far a draft has come, and what it says so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.urls import reverse

from gateways.addresses import NEW_POOL, cluster_networks, occupied_networks
from gateways.drafts import (
    ADDRESSES,
    PLACEMENT,
    VCENTER,
    first_incomplete,
    is_complete,
    open_reason,
    page_values,
)
from gateways.forms.addresses import DHCP, SUBNET, AddressesForm
from gateways.forms.placement import PlacementForm
from gateways.forms.vcenter import VCenterForm
from gateways.forms.wizard_form import WizardForm
from gateways.models import ConfigureDraft
from gateways.networks import NetworksOverlap
from gateways.placement import CHOICES, NEEDS, TITLES
from gateways.vcenter_checks import skew_warning
from ippools.models import IPPool

SUMMARY = "summary"


@dataclass(frozen=True)
class Page:
    """A page applies when the pages before it are complete."""

    key: str
    title: str
    form_class: type[WizardForm] | None

    @property
    def part(self) -> str:
        return f"gateways/_configure_{self.key}.html"

    def url(self, draft: ConfigureDraft) -> str:
        return reverse("gateways:configure-page", args=[draft.gateway_id, self.key])


PAGES = (
    Page(VCENTER, "vCenter", VCenterForm),
    Page(PLACEMENT, "Placement", PlacementForm),
    Page(ADDRESSES, "IP allocation", AddressesForm),
    Page(SUMMARY, "Summary", None),
)


def find_page(key: str) -> Page | None:
    return next((page for page in PAGES if page.key == key), None)


def neighbour(page: Page, distance: int) -> Page | None:
    index = PAGES.index(page) + distance
    return PAGES[index] if 0 <= index < len(PAGES) else None


def current_page(draft: ConfigureDraft) -> Page:
    """The first page that has to be filled in; the summary when all are."""
    key = first_incomplete(draft)
    return next(page for page in PAGES if page.key == (key or SUMMARY))


def applies(page: Page, draft: ConfigureDraft) -> bool:
    return PAGES.index(page) <= PAGES.index(current_page(draft))


@dataclass(frozen=True)
class RailStep:
    number: int
    title: str
    state: str
    href: str
    reason: str


def rail(draft: ConfigureDraft, current: Page) -> list[RailStep]:
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


def _rail_state(draft: ConfigureDraft, page: Page, current: Page) -> str:
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
    warnings: Sequence[str] = field(default=())


def sections(draft: ConfigureDraft, *, beside: Page) -> list[Section]:
    """What the complete pages say: for the summary, and for "So far" beside another page."""
    makers = {VCENTER: _vcenter_section, PLACEMENT: _placement_section, ADDRESSES: _addresses_section}
    others = [page for page in PAGES if page != beside and is_complete(draft, page.key)]
    return [makers[page.key](draft, page) for page in others]


def _vcenter_section(draft: ConfigureDraft, page: Page) -> Section:
    values, facts = page_values(draft, VCENTER), draft.vcenter
    trust = "Confirmed by thumbprint" if facts["pinned_thumbprint"] else "Trusted by the system's authorities"
    warnings = [facts["sentence"]] if facts["level"] == "warning" else []
    skew = skew_warning(facts["skew_seconds"])
    rows = [
        Row("Server", values["server"], mono=True),
        Row("Username", values["username"]),
        Row("Version", facts["version"]),
        Row("Certificate", trust, facts["certificate_thumbprint"] if facts["pinned_thumbprint"] else ""),
        Row("Clock", f"{facts['skew_seconds']:+d} s" if skew else "In step"),
    ]
    return Section(page.title, page.url(draft), rows, [*warnings, *([skew] if skew else [])])


def _placement_section(draft: ConfigureDraft, page: Page) -> Section:
    values = page_values(draft, PLACEMENT)
    keys = len(values["ssh_keys"])
    rows = [
        *(Row(TITLES[choice], values["names"][choice]) for choice in CHOICES),
        Row("Nodes", str(values["nodes"]), str(NEEDS[values["nodes"]])),
        Row("SSH keys", str(keys) if keys else "None"),
        Row("NTP servers", ", ".join(values["ntp_servers"]) or "ESXi host time"),
    ]
    return Section(page.title, page.url(draft), rows, [values["warning"]] if values["warning"] else [])


def _addresses_section(draft: ConfigureDraft, page: Page) -> Section:
    values = page_values(draft, ADDRESSES)
    rows = _dhcp_rows(values) if values["scheme"] == DHCP else _pool_rows(values)
    return Section(page.title, page.url(draft), [*rows, *_network_rows(draft)])


def _dhcp_rows(values: dict[str, str]) -> list[Row]:
    endpoint = values["control_plane_endpoint"]
    return [Row("Scheme", "DHCP"), Row("Control plane endpoint", f"{endpoint}:6443", mono=True)]


def _pool_rows(values: dict[str, str]) -> list[Row]:
    known = [Row("Scheme", "Static IP"), Row("IP pool", values["pool_name"])]
    if values["pool"] != NEW_POOL:
        return known
    in_range = f"{values['start']} to {values['end']}"
    return [
        known[0],
        Row("IP pool", values["pool_name"], "created at Confirm"),
        Row("Addresses", values["subnet"] if values["network_type"] == SUBNET else in_range, mono=True),
        Row("Gateway", values["gateway_address"], mono=True),
        Row("Name servers", ", ".join(values["name_servers"]), mono=True),
        Row("Use", "This cluster only" if values["restrict_to_single_cluster"] else "Tenant clusters too"),
    ]


def _network_rows(draft: ConfigureDraft) -> list[Row]:
    gateway = draft.gateway
    try:
        networks = cluster_networks(gateway, occupied_networks(gateway, page_values(draft, ADDRESSES)))
    except (NetworksOverlap, IPPool.DoesNotExist):
        return []
    return [
        Row("Pod CIDR", str(networks.pods), "" if gateway.pod_cidr else "default", mono=True),
        Row("Service CIDR", str(networks.services), "" if gateway.service_cidr else "default", mono=True),
    ]
