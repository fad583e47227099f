from collections.abc import Mapping
from typing import Any, Self
from uuid import UUID

from django import forms
from django.http import QueryDict

from clusters.models import AddressAllocation
from gateways.addresses import (
    NEW_POOL,
    cluster_networks,
    find_pool,
    is_ticked,
    occupied_networks,
    pool_values,
)
from gateways.drafts import ADDRESSES, PLACEMENT, VCENTER, page_values
from gateways.forms.wizard_form import WizardForm
from gateways.models import ConfigureDraft
from gateways.networks import NetworksOverlap
from ippools.actions import (
    InvalidPool,
    PoolUnavailable,
    check_can_serve,
    check_pool,
    find_pool_of,
    needed_addresses,
)
from ippools.models import IPPool, NetworkType
from ippools.promises import usages_with_promises
from ippools.usage import with_counts
from palette_portal.fields import AddressesField, DomainsField, is_host_name, is_ip_address
from palette_portal.rendering import ChoiceCards, RichSelect, WithMeta

STATIC, DHCP = AddressAllocation.STATIC, AddressAllocation.DHCP
RANGE, SUBNET = NetworkType.RANGE, NetworkType.SUBNET

_SCHEMES = [
    (STATIC, WithMeta("Static IP", "Addresses come from an IP pool. No DHCP server is needed.")),
    (DHCP, WithMeta("DHCP", "A DHCP server gives the nodes their addresses, and Dynamic DNS their names.")),
]
_TYPES = [
    (RANGE, WithMeta("Range", "From a first to a last address.")),
    (SUBNET, WithMeta("Subnet", "All addresses of a network.")),
]
_POOL_FIELDS = ("name", "network_type", "subnet_prefix", "gateway_address", "name_servers")
_OPTIONAL_POOL_FIELDS = ("search_suffixes", "restrict_to_single_cluster")
_MONO = {"class": "mono", "spellcheck": "false", "autocomplete": "off"}


def _text(placeholder: str) -> forms.TextInput:
    return forms.TextInput(attrs={**_MONO, "placeholder": placeholder})


class AddressesForm(WizardForm):
    """Static addresses from a pool, new or known; or DHCP with a control plane endpoint that is known."""

    page = ADDRESSES

    scheme = forms.ChoiceField(
        label="IP Allocation Scheme", choices=_SCHEMES, initial=STATIC, widget=ChoiceCards
    )
    pool = forms.ChoiceField(label="IP pool", widget=RichSelect)
    name = forms.CharField(label="Name", max_length=63, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    network_type = forms.ChoiceField(label="Network Type", choices=_TYPES, initial=RANGE, widget=ChoiceCards)
    start = forms.GenericIPAddressField(label="Start", widget=_text("10.10.183.70"))
    end = forms.GenericIPAddressField(label="End", widget=_text("10.10.183.90"))
    subnet = forms.CharField(label="Subnet", max_length=49, widget=_text("10.10.183.64/26"))
    subnet_prefix = forms.IntegerField(
        label="Subnet Prefix",
        min_value=1,
        max_value=128,
        help_text="Length of the network prefix, such as 24.",
        widget=_text("24"),
    )
    gateway_address = forms.GenericIPAddressField(
        label="Gateway", help_text="The router of the network.", widget=_text("10.10.183.1")
    )
    name_servers = AddressesField(
        label="Name server addresses",
        max_length=400,
        help_text="IP addresses, separated by commas.",
        widget=_text("10.10.128.8, 10.10.128.9"),
    )
    search_suffixes = DomainsField(
        label="Name server search suffixes",
        max_length=1000,
        required=False,
        help_text="Domains that are tried for short names, separated by commas.",
        widget=_text("example.com"),
    )
    restrict_to_single_cluster = forms.BooleanField(
        label="Restrict to a Single Cluster",
        required=False,
        help_text="Only this gateway takes addresses from the pool. Otherwise tenant clusters may too.",
    )
    control_plane_endpoint = forms.CharField(
        label="Control plane endpoint",
        max_length=253,
        help_text="An unused IP address outside the DHCP range, or a DNS name that leads to one. "
        "The Kubernetes API answers there, whichever node serves it.",
        widget=_text("10.10.183.60 or pcg-1.example.com"),
    )

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        draft: ConfigureDraft,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=_as_text(initial or {}))
        self.draft = draft
        self.gateway = draft.gateway
        # The pool's neighbours are those of the same vCenter, which the gateway learns at Confirm.
        self.gateway.vcenter_server = page_values(draft, VCENTER).get("server", "")
        self.nodes = int(page_values(draft, PLACEMENT).get("nodes", 1))
        self.pools = list(with_counts(IPPool.objects.filter(gateway=self.gateway)))
        self.usages = usages_with_promises(self.pools)
        self._offer_pools()
        self._keep_only(self._relevant())

    @classmethod
    def open(cls, draft: ConfigureDraft, data: QueryDict | None = None) -> Self:
        return cls(data, draft=draft, initial=page_values(draft, ADDRESSES) if data is None else None)

    @classmethod
    def redraw(cls, draft: ConfigureDraft, data: QueryDict) -> Self:
        """After a choice: other fields, the same values, nothing refused yet."""
        return cls(draft=draft, initial=cls.typed(draft, data))

    @classmethod
    def typed(cls, draft: ConfigureDraft, data: QueryDict) -> dict[str, Any]:
        """A box that is not ticked sends nothing."""
        ticked = is_ticked(data.get("restrict_to_single_cluster"))
        return {**super().typed(draft, data), "restrict_to_single_cluster": ticked}

    def _offer_pools(self) -> None:
        field = self.fields["pool"]
        assert isinstance(field, forms.ChoiceField)
        known = [(str(pool.pk), WithMeta(pool.name, self._room(pool))) for pool in self.pools]
        field.choices = [*known, (NEW_POOL, WithMeta("Create an IP pool"))]
        field.initial = known[0][0] if known else NEW_POOL
        field.error_messages["invalid_choice"] = "This IP pool does not exist any more. Select another one."
        if not field.valid_value(self.initial.get("pool", "")):
            self.initial["pool"] = field.initial

    def _room(self, pool: IPPool) -> str:
        usage = self.usages[pool.pk]
        return f"{usage.free} {usage.free_in_words}"

    def _current(self, name: str) -> str:
        sent = self.data.get(name) if self.is_bound else self.initial.get(name)
        return str(sent or self.fields[name].initial or "")

    def _relevant(self) -> set[str]:
        if self._current("scheme") == DHCP:
            return {"scheme", "control_plane_endpoint"}
        if self._current("pool") != NEW_POOL:
            return {"scheme", "pool"}
        shape = {"subnet"} if self._current("network_type") == SUBNET else {"start", "end"}
        choose = {"pool"} if self.pools else set()
        return {"scheme", *choose, *shape, *_POOL_FIELDS, *_OPTIONAL_POOL_FIELDS}

    def _keep_only(self, relevant: set[str]) -> None:
        """The other fields travel along hidden and unchecked: going to DHCP and back loses nothing."""
        for name, field in self.fields.items():
            if name not in relevant:
                initial = field.initial
                self.fields[name] = forms.CharField(
                    required=False, initial=initial, widget=forms.HiddenInput()
                )
        if self._current("network_type") == SUBNET:
            self.fields["subnet_prefix"].required = False
            self.fields["subnet_prefix"].help_text = "Left empty: the subnet's own."

    @property
    def is_dhcp(self) -> bool:
        return self._current("scheme") == DHCP

    @property
    def is_new_pool(self) -> bool:
        return not self.is_dhcp and self._current("pool") == NEW_POOL

    @property
    def is_subnet(self) -> bool:
        return self._current("network_type") == SUBNET

    def clean(self) -> dict[str, Any]:
        if self.errors:
            return self.cleaned_data
        if self.is_dhcp:
            self._check_endpoint()
        elif self.is_new_pool:
            self._check_new_pool()
        else:
            self._check_known_pool()
        if not self.errors:
            self._check_networks()
        return self.cleaned_data

    def _check_endpoint(self) -> None:
        endpoint = self.cleaned_data["control_plane_endpoint"]
        if not (is_ip_address(endpoint) or is_host_name(endpoint)):
            self.add_error("control_plane_endpoint", f"“{endpoint}” is neither an IP address nor a DNS name.")
        elif is_ip_address(endpoint) and (pool := find_pool_of(endpoint, gateway=self.gateway)):
            self.add_error(
                "control_plane_endpoint",
                f"{endpoint} is in the IP pool {pool.name}, which may give it to another machine. "
                "Choose an address outside, or exclude it from the pool first.",
            )

    def _check_new_pool(self) -> None:
        try:
            free = len(check_pool(pool_values(self.cleaned_data), gateway=self.gateway))
        except InvalidPool as error:
            self._add_pool_error(error)
            return
        if free < self.need:
            field = "subnet" if self.cleaned_data["network_type"] == SUBNET else "end"
            self.add_error(field, f"The pool has {_addresses(free)}; {self.need_in_words}.")

    def _add_pool_error(self, error: InvalidPool) -> None:
        field = "subnet_prefix" if error.field == "prefix" else error.field
        self.add_error(field if field in self.fields else None, error.message)

    def _check_known_pool(self) -> None:
        try:
            pool = find_pool(self.gateway, self.cleaned_data["pool"])
            check_can_serve(pool, nodes=self.nodes)
        except IPPool.DoesNotExist:
            self.add_error("pool", self.fields["pool"].error_messages["invalid_choice"])
        except PoolUnavailable as error:
            self.add_error("pool", error.reason)

    def _check_networks(self) -> None:
        values = self.values()
        try:
            cluster_networks(self.gateway, occupied_networks(self.gateway, values))
        except NetworksOverlap as error:
            self.add_error(self._network_field(), f"{error.reason} Choose addresses of another network.")

    def _network_field(self) -> str:
        if self.is_dhcp:
            return "control_plane_endpoint"
        if not self.is_new_pool:
            return "pool"
        return "subnet" if self.cleaned_data["network_type"] == SUBNET else "start"

    def values(self) -> dict[str, Any]:
        plain = {name: _plain(value) for name, value in self.cleaned_data.items()}
        return {**plain, "nodes": self.nodes, "pool_name": self._pool_name()}

    def _pool_name(self) -> str:
        if self.is_new_pool:
            return str(self.cleaned_data["name"])
        return next((pool.name for pool in self.pools if str(pool.pk) == self._current("pool")), "")

    @property
    def need(self) -> int:
        return needed_addresses(self.nodes)

    @property
    def need_in_words(self) -> str:
        nodes = "1 node" if self.nodes == 1 else f"{self.nodes} nodes"
        return f"{self.need} are needed: {nodes}, 1 virtual IP and 1 extra for replacing nodes"

    @property
    def free(self) -> int | None:
        """Addresses that the chosen or described pool has for it; None while that cannot be said."""
        if self.is_dhcp:
            return None
        if not self.is_new_pool:
            return next(
                (self.usages[pool.pk].open for pool in self.pools if str(pool.pk) == self._current("pool")),
                None,
            )
        described = {name: self._current(name) for name in self.fields}
        try:
            return len(check_pool(pool_values(described), gateway=self.gateway))
        except (InvalidPool, ValueError):
            return None


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def _as_text(initial: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: ", ".join(value) if isinstance(value, list) else value for name, value in initial.items()}
    return {**texts, "restrict_to_single_cluster": is_ticked(texts.get("restrict_to_single_cluster"))}


def _addresses(count: int) -> str:
    return "1 address" if count == 1 else f"{count} addresses"
