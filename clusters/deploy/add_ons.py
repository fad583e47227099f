"""A cluster's add-on profiles while a person chooses them: which, in which version, in which order.

Buttons send what they do as "then", so that it works without JavaScript.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import QueryDict

from clusters.deploy.cards import Card
from clusters.profiles.models import ProfileVersion
from clusters.profiles.packs import NoSuchPack, find_pack
from clusters.profiles.stack import pack_twice

# Names of fields: the version in each row, and one more to put under them.
ROWS, MORE = "add_on", "more"
ATTACH, DETACH, UP, DOWN = "attach", "detach-", "up-", "down-"
BUTTONS = (ATTACH, DETACH, UP, DOWN)


@dataclass(frozen=True)
class Row:
    card: Card
    version: ProfileVersion


class AddOns:
    """What was chosen of the cards of add-on profiles; ids that none of them has are left out."""

    def __init__(self, cards: Sequence[Card], ids: Sequence[str]) -> None:
        known = {str(version.pk): Row(card, version) for card in cards for version in card.versions}
        self.rows = [known[key] for key in ids if key in known]
        self.is_complete = len(self.rows) == len(ids)
        chosen = {row.card.profile.pk for row in self.rows}
        self.more = [card for card in cards if card.profile.pk not in chosen]

    @property
    def versions(self) -> list[ProfileVersion]:
        return [row.version for row in self.rows]

    @property
    def ids(self) -> list[str]:
        return [str(version.pk) for version in self.versions]

    def problem(self, own: ProfileVersion | None) -> str:
        """Why they cannot stand on the cluster's own profile, as a sentence; empty if they can."""
        if not self.is_complete:
            return "An add-on profile that was chosen cannot be used any more. Look the list over."
        return _same_profile(self.versions) or _lost_pack(self.versions) or _same_pack(own, self.versions)


def sent_add_ons(data: QueryDict) -> list[str]:
    """Ids of versions in their order, once the button that was pressed has done its work."""
    ids = [*data.getlist(ROWS), *filter(None, [data.get(MORE, "")])]
    verb, _, number = data.get("then", "").rpartition("-")
    index = int(number) if number.isascii() and number.isdigit() else len(ids)
    if index < len(ids):
        _move(ids, f"{verb}-", index)
    return ids


def _move(ids: list[str], verb: str, index: int) -> None:
    """`index` counts from 0."""
    if verb == DETACH:
        del ids[index]
    elif verb in (UP, DOWN):
        other = max(index - 1, 0) if verb == UP else min(index + 1, len(ids) - 1)
        ids[index], ids[other] = ids[other], ids[index]


def _same_profile(versions: Sequence[ProfileVersion]) -> str:
    seen = set()
    for version in versions:
        if version.profile_id in seen:
            return f"{version.profile} is there twice. Take one of them away."
        seen.add(version.profile_id)
    return ""


def _lost_pack(versions: Sequence[ProfileVersion]) -> str:
    for version in versions:
        for layer in version.layers.all():
            try:
                find_pack(layer.pack, layer.pack_version)
            except NoSuchPack as error:
                return f"{version}: {error} Select another version."
    return ""


def _same_pack(own: ProfileVersion | None, versions: Sequence[ProfileVersion]) -> str:
    stack = [own, *versions] if own else versions
    return pack_twice((version, version.layers.all()) for version in stack)
