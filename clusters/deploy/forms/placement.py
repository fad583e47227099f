from collections.abc import Mapping, Sequence
from typing import Any, Self

from django import forms
from django.http import QueryDict

from clusters.deploy.accounts import offered_accounts, reasons_not_offered
from clusters.deploy.drafts import BASICS, PLACEMENT, POOLS, page_values
from clusters.deploy.forms.wizard_form import WizardForm, check_at_the_field
from clusters.deploy.names import taken_names
from clusters.deploy.offers import NO_OFFER, Offer, fetch_offer, get_offer
from clusters.models import AddressAllocation, Cluster, DeployDraft
from gateways.models import CloudAccount
from gateways.placement import TITLES
from ippools.actions import find_pool_of
from palette_portal.fields import (
    PRIVATE_KEY,
    PRIVATE_KEY_REFUSED,
    HostsField,
    SSHKeysField,
    is_host_name,
    is_ip_address,
)
from palette_portal.rendering import ChoiceCards, RichSelect, WithMeta
from palette_portal.vsphere.errors import VSphereError

STATIC, DHCP = AddressAllocation.STATIC, AddressAllocation.DHCP
IMAGE_FOLDER = "spectro-templates"
CHOICES = ("datacenter", "folder")
_SCHEMES = [
    (STATIC, WithMeta("Static IP", "Addresses come from an IP pool, chosen for each node pool.")),
    (DHCP, WithMeta("DHCP", "A DHCP server gives the nodes their addresses, and Dynamic DNS their names.")),
]
_MONO = {"class": "mono", "spellcheck": "false", "autocomplete": "off"}


def _text(placeholder: str) -> forms.TextInput:
    return forms.TextInput(attrs={**_MONO, "placeholder": placeholder})


class PlacementForm(WizardForm):
    """Account, datacenter and folders from the live inventory; keys, time and where addresses come from."""

    page = PLACEMENT
    # Choices of an earlier visit that are not there any more, in words.
    vanished: Sequence[str] = ()

    cloud_account = forms.ChoiceField(label="Cloud Account", widget=RichSelect)
    datacenter = forms.ChoiceField(label="Datacenter", widget=RichSelect)
    folder = forms.ChoiceField(label="Deployment Folder", widget=RichSelect)
    own_folder = forms.BooleanField(
        label="Append the cluster's name",
        required=False,
        help_text="The machines get a folder of their own in it.",
    )
    image_folder = forms.ChoiceField(
        label="Image Template Folder",
        widget=RichSelect,
        help_text="Node images are imported into it when they are not there yet.",
    )
    ssh_keys = SSHKeysField(
        label="SSH Keys",
        required=False,
        max_length=20000,
        help_text="OpenSSH public keys for the user spectro on the nodes, one per line.",
        widget=forms.Textarea(attrs={**_MONO, "rows": 3, "placeholder": "ssh-ed25519 AAAA… name@host"}),
    )
    ntp_servers = HostsField(
        label="NTP Server",
        required=False,
        max_length=2000,
        help_text="Host names or IP addresses, separated by commas. Without any: the ESXi host's time.",
        widget=_text("10.10.0.4, time.example.com"),
    )
    allocation = forms.ChoiceField(
        label="IP Allocation strategy", choices=_SCHEMES, initial=STATIC, widget=ChoiceCards
    )
    endpoint_host = forms.CharField(
        label="Control plane endpoint",
        required=False,
        max_length=253,
        help_text="An unused IP address outside the DHCP range, or a DNS name that leads to one.",
        widget=_text("10.10.183.60 or web-api.example.com"),
    )
    search_domain = forms.CharField(
        label="Search domain",
        required=False,
        max_length=253,
        help_text="In which Dynamic DNS registers the nodes' names.",
        widget=_text("k8s.example.com"),
    )

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        draft: DeployDraft,
        account: CloudAccount | None,
        offer: Offer = NO_OFFER,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(_without_private_key(data), initial=dict(initial or {}))
        self.had_private_key = data is not None and PRIVATE_KEY in data.get("ssh_keys", "")
        self.draft = draft
        self.account = account
        self.offer = offer
        self._offer_accounts()
        self._offer_places()
        if self._current("allocation") == DHCP:
            self.fields["endpoint_host"].required = True
        check_at_the_field(self)

    @classmethod
    def open(cls, draft: DeployDraft, data: QueryDict | None = None) -> Self:
        values = page_values(draft, PLACEMENT)
        account = find_account(
            draft, data.get("cloud_account", "") if data is not None else chosen_account(draft)
        )
        offer = get_offer(account) if account else NO_OFFER
        if data is not None:
            return cls(data, draft=draft, account=account, offer=offer, initial=values)
        return cls.restore(draft, account, offer)

    @classmethod
    def restore(cls, draft: DeployDraft, account: CloudAccount | None, offer: Offer) -> Self:
        """The draft's values, as far as they exist in vCenter."""
        values = page_values(draft, PLACEMENT)
        names = values.get("names", {})
        same_account = account is not None and values.get("cloud_account") == str(account.pk)
        chosen = {choice: str(values.get(choice, "")) for choice in CHOICES if same_account}
        kept = offer.choices.keep_existing(chosen, names)
        others = {name: value for name, value in values.items() if name not in CHOICES}
        account_id = str(account.pk) if account else ""
        form = cls(
            draft=draft, account=account, offer=offer, initial={**others, **kept, "cloud_account": account_id}
        )
        form.vanished = [
            f"{TITLES[choice]} “{names[choice]}”"
            for choice in CHOICES
            if choice in names and choice not in kept
        ]
        return form

    @classmethod
    def chosen(cls, draft: DeployDraft, account: CloudAccount | None, data: QueryDict) -> Self:
        """With the choices of this account's vCenter; `refresh` reads them anew."""
        if account is None:
            return cls(draft=draft, account=None, initial=data.dict())
        offer = fetch_offer(account) if "refresh" in data else get_offer(account)
        if "datacenter" not in data:
            return cls.restore(draft, account, offer)
        initial = {**data.dict(), "own_folder": "own_folder" in data}
        return cls(draft=draft, account=account, offer=offer, initial=initial)

    @classmethod
    def redraw(cls, draft: DeployDraft, data: QueryDict) -> Self:
        return cls.chosen(draft, find_account(draft, data.get("cloud_account", "")), data)

    @classmethod
    def waiting(cls, draft: DeployDraft) -> Self:
        """Before the inventory was read: everything but the choices."""
        initial = {**page_values(draft, PLACEMENT), "cloud_account": chosen_account(draft)}
        return cls(draft=draft, account=find_account(draft, chosen_account(draft)), initial=initial)

    @classmethod
    def typed(cls, draft: DeployDraft, data: QueryDict) -> dict[str, Any]:
        """A box that is not ticked sends nothing."""
        return {
            **super().typed(draft, _without_private_key(data) or data),
            "own_folder": "own_folder" in data,
        }

    def _current(self, name: str) -> str:
        sent = self.data.get(name) if self.is_bound else self.initial.get(name)
        return str(sent or self.fields[name].initial or "")

    def _offer_accounts(self) -> None:
        accounts = offered_accounts(self.draft.project)
        options = [
            (
                str(account.pk),
                WithMeta(account.name, f"{account.vcenter_server} through {account.gateway.display_name}"),
            )
            for account in accounts
        ]
        field = self._choice_field("cloud_account")
        field.choices = [("", "Select…" if options else "No cloud account can be used now"), *options]
        field.help_text = reasons_not_offered(self.draft.project)
        field.error_messages |= {
            "required": "Select a cloud account.",
            "invalid_choice": "This cloud account cannot be used now. Select another one.",
        }

    def _offer_places(self) -> None:
        choices = self.offer.choices
        chosen: dict[str, str] = {}
        for choice in CHOICES:
            field = self._choice_field(choice)
            options = choices.options(choice, chosen)
            field.error_messages |= {
                "required": f"Select a {field.label}.",
                "invalid_choice": _gone(str(field.label)),
            }
            if choice == "folder" and "datacenter" not in chosen:
                _lock(field, "Select a datacenter first")
                continue
            if not self.account:
                _lock(field, "Select a cloud account first")
                continue
            offered = [(option.moid, WithMeta(option.name, option.note)) for option in options]
            field.choices = [("", "Select…"), *offered]
            if len(options) == 1 and not self.is_bound:
                self.initial.setdefault(choice, options[0].moid)
            if self._current(choice) in dict(offered):
                chosen[choice] = self._current(choice)
        self._offer_image_folders(chosen.get("datacenter", ""))

    def _offer_image_folders(self, datacenter: str) -> None:
        """By their names, as the import looks for them; the usual one is chosen where it is there."""
        field = self._choice_field("image_folder")
        if not datacenter:
            known = self._current("image_folder") or IMAGE_FOLDER
            field.choices = [(known, known)]
            return
        inside = {
            folder.name for folder in self.offer.inventory.folders if folder.datacenter_moid == datacenter
        }
        names = sorted(inside - {""}, key=str.casefold)
        field.choices = [("", "Select…"), *((name, name) for name in names)]
        field.initial = IMAGE_FOLDER if IMAGE_FOLDER in names else ""
        field.error_messages |= {
            "required": f"Select an {field.label}; {IMAGE_FOLDER} can be made in vCenter.",
            "invalid_choice": "This folder does not exist there. Select another one.",
        }

    def _choice_field(self, name: str) -> forms.ChoiceField:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        return field

    def clean_ssh_keys(self) -> list[str]:
        if self.had_private_key:
            raise forms.ValidationError(PRIVATE_KEY_REFUSED)
        keys: list[str] = self.cleaned_data["ssh_keys"]
        return keys

    def clean_endpoint_host(self) -> str:
        host: str = self.cleaned_data["endpoint_host"]
        if self._current("allocation") == DHCP and host:
            self._check_endpoint(host)
        return host

    def _check_endpoint(self, host: str) -> None:
        if not (is_ip_address(host) or is_host_name(host)):
            raise forms.ValidationError(f"“{host}” is neither an IP address nor a DNS name.")
        if (
            self.account
            and is_ip_address(host)
            and (pool := find_pool_of(host, gateway=self.account.gateway))
        ):
            raise forms.ValidationError(
                f"{host} is in the IP pool {pool.name}, which may give it to another machine. "
                "Choose an address outside of it."
            )
        same = Cluster.objects.present().filter(tenant_id=self.draft.project.tenant_id, endpoint_host=host)
        if same.exists():
            raise forms.ValidationError(f"Another cluster answers at {host} already.")

    def clean_search_domain(self) -> str:
        domain: str = self.cleaned_data["search_domain"].strip(".")
        if self._current("allocation") == DHCP and domain and not is_host_name(domain):
            raise forms.ValidationError(f"“{domain}” is not a domain name.")
        return domain

    def clean(self) -> dict[str, Any]:
        if not self.errors and self.asks_vcenter:
            self._check_names()
        return self.cleaned_data

    def _check_names(self) -> None:
        values, name = self.cleaned_data, page_values(self.draft, BASICS)["name"]
        assert self.account is not None
        try:
            taken = taken_names(
                self.account,
                self.offer,
                folder_moid=values["folder"],
                cluster_name=name,
                own_folder=values["own_folder"],
            )
        except VSphereError as error:
            self.add_error("folder", f"{error.sentence} {error.hint}".strip())
            return
        if taken:
            self.add_error(
                "folder",
                f"It holds {taken[0]} already, which a machine of this cluster would be called. "
                "Select another folder, or another name on the first page.",
            )

    def values(self) -> dict[str, Any]:
        assert self.account is not None
        chosen = {choice: self.cleaned_data[choice] for choice in CHOICES}
        others = {name: value for name, value in self.cleaned_data.items() if name not in CHOICES}
        return {
            **others,
            **chosen,
            "names": {choice: self.offer.choices.name_of(choice, chosen) for choice in CHOICES},
            "region": self.offer.region_of(chosen["datacenter"]),
            "account_name": self.account.name,
            "vcenter": self.account.vcenter_server,
            "gateway_name": self.account.gateway.display_name,
        }

    def reopens(self, draft: DeployDraft) -> Mapping[str, str]:
        before, now = page_values(draft, PLACEMENT), self.cleaned_data
        changed = [title for name, title in _MOVES_POOLS.items() if before.get(name) not in (None, now[name])]
        if not changed:
            return {}
        return {POOLS: f"The {' and the '.join(changed)} changed: look over availability zones and IP pools."}


_MOVES_POOLS = {
    "cloud_account": "cloud account",
    "datacenter": "datacenter",
    "allocation": "IP allocation strategy",
}


def chosen_account(draft: DeployDraft) -> str:
    """The draft's; the only one there is without asking."""
    known = str(page_values(draft, PLACEMENT).get("cloud_account", ""))
    accounts = offered_accounts(draft.project)
    return known or (str(accounts[0].pk) if len(accounts) == 1 else "")


def find_account(draft: DeployDraft, account_id: str) -> CloudAccount | None:
    return next(
        (account for account in offered_accounts(draft.project) if str(account.pk) == account_id), None
    )


def _lock(field: forms.ChoiceField, reason: str) -> None:
    field.choices = [("", reason)]
    field.disabled = True
    field.required = False


def _without_private_key(data: QueryDict | None) -> QueryDict | None:
    if data is None or PRIVATE_KEY not in data.get("ssh_keys", ""):
        return data
    data = data.copy()
    data["ssh_keys"] = ""
    return data


def _gone(title: str) -> str:
    return f"This {title.lower()} does not exist there (any more). Select another one."
