from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django import forms

from gateways.addresses import pool_values
from gateways.models import PrivateCloudGateway
from ippools.actions import InvalidPool, check_pool
from ippools.actions.pools import values_of
from ippools.actions.validation import PoolValues
from ippools.models import IPPool, NetworkType
from palette_portal.fields import AddressesField, DomainsField
from palette_portal.rendering import ChoiceCards, RichSelect, WithMeta

_TYPES = [
    (NetworkType.RANGE, WithMeta("Range", "From a first to a last address.")),
    (NetworkType.SUBNET, WithMeta("Subnet", "All addresses of a network.")),
]
_RANGE_ONLY, _SUBNET_ONLY = ("start", "end"), ("subnet",)


def _text(placeholder: str) -> forms.TextInput:
    return forms.TextInput(
        attrs={"class": "mono", "spellcheck": "false", "autocomplete": "off", "placeholder": placeholder}
    )


class IPPoolForm(forms.Form):
    """Shape only; what makes a pool is decided by ippools.actions.check_pool, as in the wizards."""

    gateway = forms.ChoiceField(label="Private cloud gateway", widget=RichSelect)
    name = forms.CharField(label="Name", max_length=63, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    network_type = forms.ChoiceField(
        label="Network Type", choices=_TYPES, initial=NetworkType.RANGE, widget=ChoiceCards
    )
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
        label="Gateway",
        help_text="The router of the network. It is never handed out.",
        widget=_text("10.10.183.1"),
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
    excluded = AddressesField(
        label="Excluded addresses",
        max_length=4000,
        required=False,
        help_text="Addresses between Start and End that others use, separated by commas.",
        widget=_text("10.10.183.75, 10.10.183.76"),
    )
    restrict_to_single_cluster = forms.BooleanField(
        label="Restrict to a Single Cluster",
        required=False,
        help_text="The first cluster that uses the pool has it for itself until that cluster is gone.",
    )

    def __init__(
        self, *args: Any, gateways: Iterable[PrivateCloudGateway], pool: IPPool | None = None, **kwargs: Any
    ) -> None:
        if pool:
            kwargs["initial"] = _typed(values_of(pool))
        super().__init__(*args, **kwargs)
        self.pool = pool
        self.gateways = {str(gateway.pk): gateway for gateway in gateways}
        self._offer_gateways()
        irrelevant = _SUBNET_ONLY if self["network_type"].value() == NetworkType.RANGE else _RANGE_ONLY
        for name in irrelevant if self.is_bound else ():
            self.fields[name] = forms.CharField(
                label=self.fields[name].label, required=False, widget=self.fields[name].widget
            )

    def _offer_gateways(self) -> None:
        if self.pool:
            del self.fields["gateway"]
            return
        field = self.fields["gateway"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            (key, WithMeta(gateway.display_name, gateway.vcenter_server))
            for key, gateway in self.gateways.items()
        ]

    @property
    def chosen_gateway(self) -> PrivateCloudGateway:
        return self.pool.gateway if self.pool else self.gateways[self.cleaned_data["gateway"]]

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            try:
                check_pool(self.values(), gateway=self.chosen_gateway, pool=self.pool)
            except InvalidPool as error:
                self.add_refusal(error)
        return self.cleaned_data

    def values(self) -> PoolValues:
        """Raise InvalidPool."""
        return replace(pool_values(self.cleaned_data), excluded=tuple(self.cleaned_data["excluded"]))

    def add_refusal(self, error: InvalidPool) -> None:
        field = "subnet_prefix" if error.field == "prefix" else error.field
        self.add_error(field if field in self.fields else None, error.message)


def _typed(values: PoolValues) -> dict[str, Any]:
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(values).items()}
    return {**plain, "subnet_prefix": values.prefix}
