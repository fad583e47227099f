"""The profiles of one cluster: its own, and add-on profiles on top of it, in order.

Each sees its own variables only: all values are kept in one mapping, under keys that say whose they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clusters.profiles.models import ProfileVersion
from clusters.profiles.packs import NoSuchPack, find_pack
from clusters.profiles.render import Layer, LayerGroup
from clusters.profiles.variables import Variable, read_variables

# Names of variables have none.
_DASH = "-"


@dataclass(frozen=True)
class Stacked:
    """One profile of a stack; `scope` is empty for the cluster's own."""

    version: ProfileVersion
    scope: str = ""

    @property
    def definitions(self) -> tuple[Variable, ...]:
        return read_variables(self.version.variables)

    def key(self, name: str) -> str:
        """What the value of one of its variables is kept under."""
        return f"{self.scope}{_DASH}{name}" if self.scope else name

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """Those of the mapping that are meant for this profile, by the names of its variables."""
        return values_in(self.scope, given)

    def group(self, layers: Sequence[Layer], given: Mapping[str, str]) -> LayerGroup:
        return LayerGroup(layers, self.definitions, self.values(given))


def stacked(own: ProfileVersion | None, add_ons: Iterable[ProfileVersion]) -> list[Stacked]:
    beginning = [Stacked(own)] if own else []
    return [*beginning, *map(add_on, add_ons)]


def add_on(version: ProfileVersion) -> Stacked:
    return Stacked(version, version.profile_id.hex)


def values_in(scope: str, given: Mapping[str, str]) -> dict[str, str]:
    return {key.rpartition(_DASH)[2]: value for key, value in given.items() if scope_of(key) == scope}


def scope_of(key: str) -> str:
    return key.rpartition(_DASH)[0]


def pack_twice(stack: Iterable[tuple[ProfileVersion, Iterable[Layer]]]) -> str:
    """A sentence about the first pack that two of the profiles have; empty if there is none."""
    holders: dict[str, ProfileVersion] = {}
    for version, layers in stack:
        for layer in layers:
            first = holders.setdefault(layer.pack, version)
            if first is not version:
                return (
                    f"{_title(layer)} is in {first} and in {version}, and a cluster has each pack once. "
                    "Take one of them away, or choose a version without it."
                )
    return ""


def _title(layer: Layer) -> str:
    try:
        return find_pack(layer.pack, layer.pack_version).title
    except NoSuchPack:
        return layer.pack
