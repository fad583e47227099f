"""One node pool's form: a master pool's or a worker pool's, with a small form for each availability zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from clusters.deploy.forms.fields import LabelsField, TaintsField
from clusters.deploy.forms.wizard_form import check_at_the_field, say_what_is_missing
from clusters.deploy.forms.zones import ZoneForm, ZoneOptions
from clusters.deploy.sizes import (
    CUSTOM,
    DEFAULT_DISK_GB,
    DEFAULT_TYPE,
    INSTANCE_TYPES,
    MIB_PER_GB,
    MOST_CPUS,
    MOST_DISK_GB,
    MOST_MEMORY_GB,
    MOST_NODES,
    SMALLEST_DISK_GB,
    find_type,
)
from clusters.models import PoolRole, RollingUpdate
from clusters.names import label
from ippools.models import IPPool
from ippools.promises import usages_with_promises
from ippools.reservations import Reservation, control_plane, worker_pool
from ippools.usage import Usage
from palette_portal.rendering import ChoiceCards, RichSelect, WithMeta

_PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
_MONO = {**_PLAIN, "class": "mono"}
_TYPES = [
    *((preset.key, WithMeta(preset.title, preset.words)) for preset in INSTANCE_TYPES),
    (CUSTOM, WithMeta("Custom", "As you say")),
]
_SIZES = [
    (1, WithMeta("1 node", "For trying out.")),
    (3, WithMeta("3 nodes", "Survives the loss of one.")),
    (5, WithMeta("5 nodes", "Survives the loss of two.")),
]
_ROLLING = [
    (RollingUpdate.EXPAND_FIRST, WithMeta("Expand First", "Adds a new node, then removes an old one.")),
    (RollingUpdate.CONTRACT_FIRST, WithMeta("Contract First", "Removes an old node, then adds a new one.")),
    (RollingUpdate.CUSTOM, WithMeta("Custom", "Surge and unavailable as you say.")),
]


@dataclass(frozen=True)
class PoolContext:
    """What the node pools of one cluster can be made of."""

    zones: ZoneOptions
    # None with DHCP.
    ip_pools: Sequence[IPPool] | None

    @cached_property
    def usages(self) -> dict[UUID, Usage]:
        return usages_with_promises(self.ip_pools or ())


def _number(label: str, smallest: int, largest: int, **options: Any) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=smallest, max_value=largest, **options)


class NodePoolForm(forms.Form):
    """Fields that do not count (an instance type's numbers, unless it is custom) are not checked."""

    role: PoolRole

    name = forms.CharField(label="Name", max_length=63, widget=forms.TextInput(attrs=_PLAIN))
    instance_type = forms.ChoiceField(
        label="Instance type", choices=_TYPES, initial=DEFAULT_TYPE, widget=ChoiceCards
    )
    num_cpus = _number("CPU", 1, MOST_CPUS, required=False)
    memory_gb = _number("Memory in GB", 2, MOST_MEMORY_GB, required=False)
    disk_gib = _number("Disk Size in GB", SMALLEST_DISK_GB, MOST_DISK_GB, initial=DEFAULT_DISK_GB)
    labels = LabelsField(
        label="Labels",
        required=False,
        max_length=4000,
        help_text="key=value, separated by commas.",
        widget=forms.TextInput(attrs={**_MONO, "placeholder": "tier=web"}),
    )
    taints = TaintsField(
        label="Taints",
        required=False,
        max_length=4000,
        help_text="key=value:NoSchedule, :PreferNoSchedule or :NoExecute, separated by commas.",
        widget=forms.TextInput(attrs={**_MONO, "placeholder": "dedicated=gpu:NoSchedule"}),
    )
    zones = forms.MultipleChoiceField(
        label="Availability Zones",
        widget=forms.CheckboxSelectMultiple,
        help_text="Machines are spread over the compute clusters that you tick. "
        "A zone is named by its k8s-zone tag.",
    )
    ip_pool = forms.ChoiceField(label="IP pool", widget=RichSelect)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        prefix: str,
        context: PoolContext,
        initial: Mapping[str, Any] | None = None,
        like: Mapping[str, Any] | None = None,
    ) -> None:
        """`like` are the values of the pool whose choices suggest themselves."""
        values = dict(initial or {})
        places = {str(zone["compute_cluster"]): zone for zone in values.pop("zones", [])}
        super().__init__(data, prefix=prefix, initial={**values, "zones": list(places)})
        say_what_is_missing(self)
        self.context = context
        self._offer_zones(data, places, like or {})
        self._offer_ip_pools(like or {})
        self._require_what_counts()
        check_at_the_field(self)

    def _offer_zones(
        self, data: QueryDict | None, places: Mapping[str, Any], like: Mapping[str, Any]
    ) -> None:
        field = self.fields["zones"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = self.context.zones.choices
        field.error_messages |= {
            "required": "Select at least one availability zone.",
            "invalid_choice": "One of these zones does not exist any more.",
        }
        known = [moid for moid, _ in field.choices]
        if not self.is_bound:
            self.initial["zones"] = [moid for moid in self.initial["zones"] if moid in known]
        others = [*places.values(), *like.get("zones", [])]
        self.zone_forms = [
            ZoneForm(
                data,
                prefix=f"{self.prefix}-{moid}",
                compute_cluster=moid,
                options=self.context.zones,
                initial=places.get(moid),
                like=others,
            )
            for moid in known
            if moid in self.current_zones
        ]

    @property
    def current_zones(self) -> list[str]:
        return list(self["zones"].value() or [])

    def _offer_ip_pools(self, like: Mapping[str, Any]) -> None:
        if self.context.ip_pools is None:
            del self.fields["ip_pool"]
            return
        field = self.fields["ip_pool"]
        assert isinstance(field, forms.ChoiceField)
        offered = [
            (str(pool.pk), WithMeta(pool.name, _room(pool, self.context.usages[pool.pk])))
            for pool in self.context.ip_pools
        ]
        field.choices = [("", "Select…" if offered else "The gateway has no IP pool"), *offered]
        field.error_messages |= {
            "required": "Select an IP pool.",
            "invalid_choice": "This IP pool does not exist any more. Select another one.",
        }
        usable = [str(pool.pk) for pool in self.context.ip_pools if pool.reserved_for is None]
        if not self.initial.get("ip_pool"):
            self.initial["ip_pool"] = like.get("ip_pool") or (usable[0] if len(usable) == 1 else "")

    def _require_what_counts(self) -> None:
        if self.current("instance_type") == CUSTOM:
            self._require("num_cpus", "memory_gb")
        else:
            self._ignore("num_cpus", "memory_gb")

    def _require(self, *names: str) -> None:
        for name in names:
            self.fields[name].required = True

    def _ignore(self, *names: str) -> None:
        """It travels along unchecked."""
        for name in names:
            field = self.fields[name]
            self.fields[name] = forms.CharField(
                label=field.label,
                required=False,
                widget=field.widget,
                help_text=field.help_text,
                initial=field.initial,
            )

    def current(self, name: str) -> str:
        value = self[name].value()
        return "" if value is None else str(value)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if label(name) != name:
            raise ValidationError(f"Use lower-case letters, digits and “-”, such as {label(name)}.")
        return name

    def is_valid(self) -> bool:
        """All of them are asked, so that all errors are shown at once."""
        return all([super().is_valid(), *(zone.is_valid() for zone in self.zone_forms)])

    @property
    def short_name(self) -> str:
        return label(self.current("name"))[:20].rstrip("-")

    @property
    def reservation(self) -> Reservation | None:
        """None while the size is no number."""
        raise NotImplementedError

    def values(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        preset = find_type(cleaned["instance_type"])
        return {
            **cleaned,
            "num_cpus": preset.num_cpus if preset else cleaned["num_cpus"],
            "memory_gb": preset.memory_gb if preset else cleaned["memory_gb"],
            "zones": [zone.values() for zone in self.zone_forms],
            "ip_pool_name": self._ip_pool_name(),
        }

    def _ip_pool_name(self) -> str:
        chosen = self.cleaned_data.get("ip_pool", "")
        return next((pool.name for pool in self.context.ip_pools or () if str(pool.pk) == chosen), "")

    @property
    def memory_mib(self) -> int:
        return int(self.values()["memory_gb"]) * MIB_PER_GB


class MasterPoolForm(NodePoolForm):
    role = PoolRole.CONTROL_PLANE

    size = forms.TypedChoiceField(label="Size", coerce=int, choices=_SIZES, initial=1, widget=ChoiceCards)
    takes_workloads = forms.BooleanField(
        label="Allow worker capability",
        required=False,
        help_text="Workloads may run on the master nodes too.",
    )

    @property
    def reservation(self) -> Reservation | None:
        return control_plane(int(self.current("size"))) if self.current("size").isdecimal() else None


class WorkerPoolForm(NodePoolForm):
    role = PoolRole.WORKER

    size = _number("Size", 1, MOST_NODES, initial=2, help_text="How many machines.")
    autoscales = forms.BooleanField(
        label="Enable Autoscaler", required=False, help_text="The pool grows and shrinks between two sizes."
    )
    minimum_size = _number("Minimum Size", 1, MOST_NODES, initial=1, required=False)
    maximum_size = _number("Maximum Size", 1, MOST_NODES, initial=3, required=False)
    rolling_update = forms.ChoiceField(
        label="Rolling Update", choices=_ROLLING, initial=RollingUpdate.EXPAND_FIRST, widget=ChoiceCards
    )
    surge = _number("Surge", 0, MOST_NODES, initial=1, required=False, help_text="Nodes more than the size.")
    unavailable = _number(
        "Unavailable", 0, MOST_NODES, initial=0, required=False, help_text="Nodes fewer than the size."
    )

    def _require_what_counts(self) -> None:
        super()._require_what_counts()
        limits = ("minimum_size", "maximum_size")
        counting, idle = (limits, ("size",)) if self.is_autoscaled else (("size",), limits)
        self._require(*counting)
        self._ignore(*idle)
        (self._require if self.is_custom else self._ignore)("surge", "unavailable")

    @property
    def is_autoscaled(self) -> bool:
        return self.current("autoscales") in ("True", "on")

    @property
    def is_custom(self) -> bool:
        return self.current("rolling_update") == RollingUpdate.CUSTOM

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        smallest, largest = values.get("minimum_size"), values.get("maximum_size")
        if self.is_autoscaled and smallest and largest and smallest > largest:
            self.add_error("maximum_size", "The maximum is less than the minimum.")
        if self.is_custom and values.get("surge") == 0 and values.get("unavailable") == 0:
            self.add_error("surge", "Surge and unavailable cannot both be 0: no node could be replaced.")
        return values

    def clean_name(self) -> str:
        name = super().clean_name()
        if label(name) == "cp":
            raise ValidationError("“cp” is how the master pool's machines are called. Choose another name.")
        return name

    @property
    def moves(self) -> tuple[str, str]:
        fixed = {RollingUpdate.EXPAND_FIRST.value: ("1", "0"), RollingUpdate.CONTRACT_FIRST.value: ("0", "1")}
        return fixed.get(self.current("rolling_update"), (self.current("surge"), self.current("unavailable")))

    @property
    def reservation(self) -> Reservation | None:
        nodes = self.current("maximum_size" if self.is_autoscaled else "size")
        surge = self.moves[0] or "0"
        return worker_pool(int(nodes), surge=int(surge)) if nodes.isdecimal() and surge.isdecimal() else None

    def values(self) -> dict[str, Any]:
        """Numbers that do not count are kept for the day on which they do."""
        values = super().values()
        surge, unavailable = self.moves
        return {
            **values,
            "size": values["minimum_size"] if self.is_autoscaled else values["size"],
            "minimum_size": _number_or(values["minimum_size"], 1),
            "maximum_size": _number_or(values["maximum_size"], 3),
            "surge": int(surge),
            "unavailable": int(unavailable),
        }


def _number_or(value: Any, default: int) -> int:
    text = str(value)
    return int(text) if text.isdecimal() and text.isascii() else default


def _room(pool: IPPool, usage: Usage) -> str:
    return "restricted to another cluster" if pool.reserved_for else f"{usage.free} {usage.free_in_words}"
