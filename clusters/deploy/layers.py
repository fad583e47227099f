"""The layers of a chosen profile with what a cluster changes in them: texts, differences, problems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff

from clusters.models import DeployDraft
from clusters.profiles.models import LayerKind, ProfileLayer
from clusters.profiles.packs import NoSuchPack, PackVersion, find_pack
from clusters.profiles.values import check_values
from clusters.profiles.variables import Variable, check_variables, read_variables
from clusters.profiles.yaml_text import Problem
from palette_portal.http import Conflict


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


def layers_of(draft: DeployDraft, texts: Mapping[str, str]) -> list[ChangedLayer]:
    """In build order. Raise Conflict when the portal's catalogue lost one of its packs."""
    if draft.profile_version is None:
        return []
    try:
        return [_changed(layer, texts) for layer in draft.profile_version.layers.all()]
    except NoSuchPack as error:
        raise Conflict(f"{error} Choose another version of the cluster profile.") from error


def definitions_of(draft: DeployDraft) -> Sequence[Variable]:
    return read_variables(draft.profile_version.variables) if draft.profile_version else ()


def problems_of(
    changed: ChangedLayer, definitions: Sequence[Variable], given: Mapping[str, str]
) -> list[Problem]:
    """Values of variables that are wrong themselves count as not given: they are told at their fields."""
    wrong = check_variables(definitions, given)
    usable = {name: value for name, value in given.items() if name not in wrong}
    return check_values(changed.pack, changed.text, definitions, usable)


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
