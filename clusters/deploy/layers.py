"""The layers of the chosen profiles with what a cluster changes in them: texts, differences, problems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff

from clusters.actions.stacks import StackRefused
from clusters.deploy.drafts import chosen_add_ons
from clusters.models import DeployDraft
from clusters.profiles.models import LayerKind, ProfileLayer, ProfileVersion
from clusters.profiles.packs import NoSuchPack, PackVersion, find_pack
from clusters.profiles.stack import Stacked, stacked
from clusters.profiles.values import check_values
from clusters.profiles.variables import Variable, check_variables
from clusters.profiles.yaml_text import Problem


@dataclass(frozen=True)
class DiffLine:
    """`kind` is "add", "remove", "same" or "gap"."""

    kind: str
    text: str


@dataclass(frozen=True)
class ChangedLayer:
    """A layer of the profile, its text as the profile has it, and as this cluster will."""

    layer: ProfileLayer
    pack: PackVersion
    text: str

    @property
    def name(self) -> str:
        return self.layer.pack

    @property
    def original(self) -> str:
        """What the profile says; where it says nothing, what the pack does."""
        return plain(self.layer.values or self.pack.default_values)

    @property
    def is_changed(self) -> bool:
        return self.text.strip() != self.original.strip()

    @property
    def diff(self) -> list[DiffLine]:
        lines = unified_diff(self.original.splitlines(), self.text.splitlines(), lineterm="", n=2)
        return [_diff_line(line) for line in list(lines)[2:]]

    @property
    def kind(self) -> str:
        return LayerKind(self.layer.kind).label


@dataclass(frozen=True)
class ChangedProfile:
    """One of the chosen profiles with its layers in build order."""

    profile: Stacked
    layers: Sequence[ChangedLayer]

    def __str__(self) -> str:
        return str(self.profile.version)

    @property
    def variables(self) -> dict[str, Variable]:
        """By the key that their values are kept under."""
        return {self.profile.key(variable.name): variable for variable in self.profile.definitions}

    def wrong_variables(self, given: Mapping[str, str]) -> dict[str, str]:
        """By key: what is wrong with the value that was given for it."""
        wrong = check_variables(self.profile.definitions, self.profile.values(given))
        return {self.profile.key(name): error for name, error in wrong.items()}

    def problems(self, layer: ChangedLayer, given: Mapping[str, str]) -> list[Problem]:
        """Values of variables that are wrong themselves count as not given: they are told at their fields."""
        wrong = self.wrong_variables(given)
        usable = {key: value for key, value in given.items() if key not in wrong}
        return check_values(layer.pack, layer.text, self.profile.definitions, self.profile.values(usable))


def profiles_of(draft: DeployDraft, texts: Mapping[str, str]) -> list[ChangedProfile]:
    """The cluster's own first. Raise StackRefused when one of them or of their packs is gone."""
    stack = stacked(draft.profile_version, add_ons_of(draft))
    try:
        return [
            ChangedProfile(one, [_changed(layer, texts) for layer in one.version.layers.all()])
            for one in stack
        ]
    except NoSuchPack as error:
        raise StackRefused(f"{error} Choose another version of the cluster profile.") from error


def add_ons_of(draft: DeployDraft) -> list[ProfileVersion]:
    """In the order that was chosen. Raise StackRefused when one of them was deleted."""
    ids = chosen_add_ons(draft)
    if not ids:
        return []
    versions = ProfileVersion.objects.select_related("profile").prefetch_related("layers")
    found = {str(version.pk): version for version in versions.filter(pk__in=ids)}
    if len(found) < len(ids):
        raise StackRefused("An add-on profile that was chosen was deleted. Choose the cluster profile again.")
    return [found[key] for key in ids]


def variables_in(draft: DeployDraft) -> dict[str, Variable]:
    """Those of all chosen profiles, by the key that their values are kept under."""
    stack = stacked(draft.profile_version, add_ons_of(draft))
    return {one.key(variable.name): variable for one in stack for variable in one.definitions}


def plain(text: str) -> str:
    """Without the carriage returns of browsers."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _changed(layer: ProfileLayer, texts: Mapping[str, str]) -> ChangedLayer:
    pack = find_pack(layer.pack, layer.pack_version)
    original = ChangedLayer(layer, pack, "").original
    return ChangedLayer(layer, pack, plain(texts.get(layer.pack, original)))


def _diff_line(line: str) -> DiffLine:
    if line.startswith("@@"):
        return DiffLine("gap", "")
    kinds = {"+": "add", "-": "remove"}
    return DiffLine(kinds.get(line[:1], "same"), line[1:])
