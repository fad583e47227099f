from collections.abc import Mapping, Sequence
from typing import Any, Self

from django import forms
from django.http import QueryDict

from gateways.drafts import ADDRESSES, PLACEMENT, VCENTER, account_of, page_values
from gateways.forms.wizard_form import WizardForm
from gateways.models import ConfigureDraft
from gateways.placement import (
    CHOICES,
    NEEDS,
    NOTHING,
    PARENT,
    TITLES,
    Choices,
    capacity_warning,
    fetch_capacity,
    get_inventory,
    lacking_disk,
)
from palette_portal.fields import PRIVATE_KEY, PRIVATE_KEY_REFUSED, HostsField, SSHKeysField
from palette_portal.rendering import ChoiceCards, RichSelect, WithMeta

_NODES = [
    (1, WithMeta("1 node", f"{NEEDS[1]}. For trying out and small sites.")),
    (3, WithMeta("3 nodes", f"{NEEDS[3]} in all. Survives the loss of a node.")),
]
_HELP = {
    "folder": "The gateway's virtual machines are created here.",
    "datastore": "The disks are thin: they grow as they fill.",
    "resource_pool": "The compute cluster stands beside each pool.",
}


class PlacementForm(WizardForm):
    """Choices from the live inventory: each select offers only what goes with the choices above it."""

    page = PLACEMENT
    # Choices of an earlier visit that are not there any more, in words.
    vanished: Sequence[str] = ()

    datacenter = forms.ChoiceField(widget=RichSelect)
    folder = forms.ChoiceField(widget=RichSelect)
    compute_cluster = forms.ChoiceField(widget=RichSelect)
    resource_pool = forms.ChoiceField(widget=RichSelect)
    datastore = forms.ChoiceField(widget=RichSelect)
    network = forms.ChoiceField(widget=RichSelect)
    nodes = forms.TypedChoiceField(
        label="Number of nodes", coerce=int, choices=_NODES, initial=1, widget=ChoiceCards
    )
    ssh_keys = SSHKeysField(
        label="SSH keys",
        required=False,
        max_length=20000,
        help_text="OpenSSH public keys for the user spectro on the nodes, one per line.",
        widget=forms.Textarea(
            attrs={
                "rows": 3,
                "class": "mono",
                "spellcheck": "false",
                "placeholder": "ssh-ed25519 AAAA… name@host",
            }
        ),
    )
    ntp_servers = HostsField(
        label="NTP servers",
        required=False,
        max_length=2000,
        help_text="Host names or IP addresses, separated by commas. Without any: the ESXi host's time.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "placeholder": "10.10.0.4, time.example.com"}),
    )

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        draft: ConfigureDraft,
        choices: Choices,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(_without_private_key(data), initial=dict(initial or {}))
        self.had_private_key = data is not None and PRIVATE_KEY in data.get("ssh_keys", "")
        self.draft = draft
        self.choices = choices
        chosen = self._chosen()
        for choice in CHOICES:
            self._offer(choice, chosen)

    @classmethod
    def open(cls, draft: ConfigureDraft, data: QueryDict | None = None) -> Self:
        choices = Choices(get_inventory(draft))
        if data is not None:
            return cls(data, draft=draft, choices=choices)
        return cls.restore(draft, choices)

    @classmethod
    def restore(cls, draft: ConfigureDraft, choices: Choices) -> Self:
        """The draft's values, as far as they exist in vCenter."""
        values = page_values(draft, PLACEMENT)
        names = values.get("names", {})
        same_account = values.get("account") == account_of(page_values(draft, VCENTER))
        kept = choices.keep_existing(values if same_account else {}, names)
        others = {name: value for name, value in values.items() if name not in CHOICES}
        form = cls(draft=draft, choices=choices, initial={**others, **kept})
        form.vanished = [f"{TITLES[choice]} “{names[choice]}”" for choice in names if choice not in kept]
        return form

    @classmethod
    def waiting(cls, draft: ConfigureDraft) -> Self:
        """Before the inventory was read: everything but the choices."""
        return cls(draft=draft, choices=Choices(NOTHING), initial=page_values(draft, PLACEMENT))

    @classmethod
    def typed(cls, draft: ConfigureDraft, data: QueryDict) -> dict[str, Any]:
        account = account_of(page_values(draft, VCENTER))
        return {**super().typed(draft, _without_private_key(data) or data), "account": account}

    def _chosen(self) -> dict[str, str]:
        """What is chosen, without anything whose parent choice is gone."""
        chosen: dict[str, str] = {}
        for choice in CHOICES:
            value = str((self.data if self.is_bound else self.initial).get(choice) or "")
            if value in {option.moid for option in self.choices.options(choice, chosen)}:
                chosen[choice] = value
        return chosen

    def _offer(self, choice: str, chosen: Mapping[str, str]) -> None:
        field = self.fields[choice]
        assert isinstance(field, forms.ChoiceField)
        field.label = TITLES[choice]
        field.help_text = " ".join(filter(None, [_HELP.get(choice), self.choices.left_out(choice, chosen)]))
        field.error_messages["required"] = f"Select a {TITLES[choice].lower()}."
        field.error_messages["invalid_choice"] = _gone(choice)
        parent = PARENT.get(choice)
        if parent and parent not in chosen:
            self._lock(field, f"Select a {TITLES[parent].lower()} first")
            return
        options = self.choices.options(choice, chosen)
        offered = [(option.moid, WithMeta(option.name, option.note)) for option in options]
        field.choices = [("", "Select…" if options else "Nothing to choose here"), *offered]

    def _lock(self, field: forms.ChoiceField, reason: str) -> None:
        field.choices = [("", reason)]
        field.disabled = True
        field.required = False

    def clean_ssh_keys(self) -> list[str]:
        if self.had_private_key:
            raise forms.ValidationError(PRIVATE_KEY_REFUSED)
        keys: list[str] = self.cleaned_data["ssh_keys"]
        return keys

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if values.get("datastore") and values.get("nodes"):
            problem = lacking_disk(self.choices.inventory, values["datastore"], values["nodes"])
            if problem:
                self.add_error("datastore", problem)
        return values

    def values(self) -> dict[str, Any]:
        chosen = {choice: self.cleaned_data[choice] for choice in CHOICES}
        names = {choice: self.choices.name_of(choice, chosen) for choice in CHOICES}
        others = {name: self.cleaned_data[name] for name in ("nodes", "ssh_keys", "ntp_servers")}
        return {
            **chosen,
            **others,
            "names": names,
            "account": account_of(page_values(self.draft, VCENTER)),
            "warning": self._capacity_warning(names["compute_cluster"]),
        }

    def _capacity_warning(self, cluster_name: str) -> str:
        capacity = fetch_capacity(self.draft, self.cleaned_data["compute_cluster"])
        return capacity_warning(capacity, cluster_name, self.cleaned_data["nodes"])

    def reopens(self, draft: ConfigureDraft) -> Mapping[str, str]:
        before = page_values(draft, ADDRESSES).get("nodes")
        if before in (None, self.cleaned_data["nodes"]):
            return {}
        return {ADDRESSES: "The number of nodes changed: check that there are enough addresses."}


def _without_private_key(data: QueryDict | None) -> QueryDict | None:
    if data is None or PRIVATE_KEY not in data.get("ssh_keys", ""):
        return data
    data = data.copy()
    data["ssh_keys"] = ""
    return data


def _gone(choice: str) -> str:
    return f"This {TITLES[choice].lower()} does not exist there (any more). Select another one."
