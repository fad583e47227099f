"""Availability zones: compute clusters of the datacenter, each with resource pool, datastore and network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict

from clusters.deploy.offers import Offer
from gateways.placement import Option, size_in_words
from palette_portal.rendering import RichSelect, WithMeta
from palette_portal.vsphere.inventory import Datastore

CHOICES = ("resource_pool", "datastore", "network")
TITLES = {"resource_pool": "Resource pool", "datastore": "Datastore", "network": "Network"}


@dataclass(frozen=True)
class ZoneOptions:
    offer: Offer
    datacenter: str

    @property
    def choices(self) -> list[tuple[str, WithMeta]]:
        """Compute clusters by id; their zone's name and what they have left."""
        options = self.offer.choices.options("compute_cluster", {"datacenter": self.datacenter})
        return [(option.moid, WithMeta(self.title(option), self.room(option))) for option in options]

    def title(self, option: Option) -> str:
        zone = self.offer.zone_of(option.moid)
        return option.name if zone == option.name else f"{zone} ({option.name})"

    def room(self, option: Option) -> str:
        capacity = self.offer.capacities.get(option.moid)
        if capacity is None:
            return option.note
        free = size_in_words(capacity.free_memory_mib * 1024**2)
        return f"{option.note}, {capacity.cpu_cores} cores, {free} of memory free"

    def options(self, choice: str, compute_cluster: str) -> list[Option]:
        return self.offer.choices.options(choice, {"compute_cluster": compute_cluster})

    def suggestion(self, choice: str, compute_cluster: str, like: Sequence[Mapping[str, Any]]) -> str:
        """What another zone has by that name, the only one there is, or the one most would take."""
        options = self.options(choice, compute_cluster)
        names = [zone.get("names", {}).get(choice) or self._name(choice, zone) for zone in like]
        same = next((option.moid for name in names for option in options if option.name == name), "")
        if same or len(options) == 1:
            return same or options[0].moid
        return self._usual(choice, options)

    def name(self, choice: str, compute_cluster: str, moid: str) -> str:
        return next(
            (option.name for option in self.options(choice, compute_cluster) if option.moid == moid), ""
        )

    def compute_cluster_name(self, moid: str) -> str:
        return next(
            (cluster.name for cluster in self.offer.inventory.compute_clusters if cluster.moid == moid), ""
        )

    def _name(self, choice: str, zone: Mapping[str, Any]) -> str:
        return self.name(choice, str(zone.get("compute_cluster", "")), str(zone.get(choice, "")))

    def _usual(self, choice: str, options: Sequence[Option]) -> str:
        """The compute cluster's own pool, the datastore that most hosts share; no network."""
        if choice == "resource_pool" and options:
            return min(options, key=lambda option: option.name.count("/")).moid
        if choice == "datastore" and options:
            known = {datastore.moid: datastore for datastore in self.offer.inventory.datastores}
            return max(options, key=lambda option: _worth(known[option.moid])).moid
        return ""


def _worth(datastore: Datastore) -> tuple[int, int]:
    return len(datastore.host_moids), datastore.free_bytes


class ZoneForm(forms.Form):
    """Where a pool's machines go within one compute cluster."""

    resource_pool = forms.ChoiceField(widget=RichSelect)
    datastore = forms.ChoiceField(widget=RichSelect)
    network = forms.ChoiceField(widget=RichSelect)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        prefix: str,
        compute_cluster: str,
        options: ZoneOptions,
        initial: Mapping[str, Any] | None,
        like: Sequence[Mapping[str, Any]],
    ) -> None:
        super().__init__(data, prefix=prefix)
        self.compute_cluster = compute_cluster
        self.options = options
        # Choices of an earlier visit that are not there any more, in words.
        self.vanished: list[str] = []
        for choice in CHOICES:
            self._offer(choice, initial or {}, like)

    def _offer(self, choice: str, initial: Mapping[str, Any], like: Sequence[Mapping[str, Any]]) -> None:
        field, options = self.fields[choice], self.options.options(choice, self.compute_cluster)
        assert isinstance(field, forms.ChoiceField)
        field.label = TITLES[choice]
        offered = [(option.moid, WithMeta(option.name, option.note)) for option in options]
        field.choices = [("", "Select…" if options else "Nothing to choose here"), *offered]
        field.help_text = self.options.offer.choices.left_out(
            choice, {"compute_cluster": self.compute_cluster}
        )
        title = TITLES[choice].lower()
        field.error_messages |= {
            "required": f"Select a {title}.",
            "invalid_choice": f"This {title} does not exist there (any more). Select another one.",
        }
        self.initial[choice] = self._restored(choice, initial, like)

    def _restored(self, choice: str, initial: Mapping[str, Any], like: Sequence[Mapping[str, Any]]) -> str:
        """What was chosen, by id or else by name; a suggestion when nothing was."""
        chosen, name = initial.get(choice), initial.get("names", {}).get(choice)
        options = self.options.options(choice, self.compute_cluster)
        kept = [option.moid for option in options if chosen == option.moid or (name and option.name == name)]
        if kept:
            return kept[0]
        if name:
            self.vanished.append(f"{TITLES[choice]} “{name}”")
            return ""
        return self.options.suggestion(choice, self.compute_cluster, like)

    @property
    def title(self) -> str:
        return next(str(title) for moid, title in self.options.choices if moid == self.compute_cluster)

    def values(self) -> dict[str, Any]:
        chosen = {choice: self.cleaned_data[choice] for choice in CHOICES}
        names = {
            choice: self.options.name(choice, self.compute_cluster, moid) for choice, moid in chosen.items()
        }
        cluster = self.options.compute_cluster_name(self.compute_cluster)
        return {
            "compute_cluster": self.compute_cluster,
            "zone": self.options.offer.zone_of(self.compute_cluster),
            **chosen,
            "names": {**names, "compute_cluster": cluster},
        }
