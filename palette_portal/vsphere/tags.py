"""Tags, which vCenter offers over REST only. Own session, logged out at the end."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from palette_portal.vsphere.inventory import ComputeCluster, Datacenter, Inventory
from palette_portal.vsphere.pipelining import Question
from palette_portal.vsphere.rest import NEWER, OLDER, Dialect, NotSpoken, RestSession, rest_session
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.version import version_numbers

REGION_CATEGORY = "k8s-region"
ZONE_CATEGORY = "k8s-zone"
MANY_CATEGORIES = 50


@dataclass(frozen=True, order=True)
class Tag:
    category: str
    name: str


@dataclass(frozen=True)
class Tagging:
    """Tags by the id of the object, and the names of all categories."""

    tags: dict[str, tuple[Tag, ...]]
    categories: frozenset[str]


@dataclass(frozen=True)
class Places:
    """Region of each datacenter and zone of each compute cluster by id; untagged ones are left out."""

    regions: Mapping[str, str]
    zones: Mapping[str, str]


def read_places(vcenter: VCenter, inventory: Inventory) -> Places:
    datacenters = [("Datacenter", datacenter.moid) for datacenter in inventory.datacenters]
    clusters = [("ClusterComputeResource", cluster.moid) for cluster in inventory.compute_clusters]
    return places_of(read_tags(vcenter, [*datacenters, *clusters]), inventory)


def places_of(tags: Mapping[str, tuple[Tag, ...]], inventory: Inventory) -> Places:
    return Places(
        regions=_in_category(tags, REGION_CATEGORY, inventory.datacenters),
        zones=_in_category(tags, ZONE_CATEGORY, inventory.compute_clusters),
    )


def read_tags(vcenter: VCenter, objects: Iterable[tuple[str, str]]) -> dict[str, tuple[Tag, ...]]:
    """Tags of these (kind, id) objects, by id."""
    return read_tagging(vcenter, objects).tags


def read_tagging(vcenter: VCenter, objects: Iterable[tuple[str, str]]) -> Tagging:
    """The same and which categories there are. Four round trips, however many tags."""
    wanted = [{"type": kind, "id": moid} for kind, moid in objects]
    first, second = dialects(vcenter)
    try:
        return _read_tagging(vcenter, first, wanted)
    except NotSpoken:
        return _read_tagging(vcenter, second, wanted)


def dialects(vcenter: VCenter) -> tuple[Dialect, Dialect]:
    """The one first that the server surely speaks: vCenter 7 and 8 the older, 7.0.2 and later both."""
    speaks_older = version_numbers(vcenter.about.version)[:1] <= (8,)
    return (OLDER, NEWER) if speaks_older else (NEWER, OLDER)


def _read_tagging(vcenter: VCenter, dialect: Dialect, objects: list[dict[str, str]]) -> Tagging:
    with rest_session(vcenter.credentials, dialect, vcenter.timeouts, vcenter.count_rest) as session:
        known, attached = _attached(session, objects)
        tags, categories = _read_named(session, set(chain.from_iterable(attached.values())), known)
    return Tagging(
        tags={
            moid: tuple(sorted(tags[identity] for identity in identities))
            for moid, identities in attached.items()
        },
        categories=frozenset(categories.values()),
    )


def _attached(session: RestSession, objects: list[dict[str, str]]) -> tuple[list[str], dict[str, list[str]]]:
    """Ids of the categories, and by object ids of its tags."""
    tagging = session.dialect.tagging
    asked = session.posting(
        f"{tagging}/tag-association", "list-attached-tags-on-objects", {"object_ids": objects}
    )
    categories, answer = session.ask_all([Question("GET", f"{tagging}/category"), asked])
    attached = {entry["object_id"]["id"]: entry.get("tag_ids") or [] for entry in answer or ()}
    return list(categories or ()), attached


def _read_named(
    session: RestSession, identities: Iterable[str], known: Sequence[str]
) -> tuple[dict[str, Tag], dict[str, str]]:
    """Tags and names of categories by id. Where there are very many categories only those of the tags."""
    wanted, few = list(identities), list(known[:MANY_CATEGORIES])
    items = [("tag", identity) for identity in wanted] + [("category", identity) for identity in few]
    found = _get_items(session, items)
    tags, names = found[: len(wanted)], _names(few, found[len(wanted) :])
    others = sorted({tag["category_id"] for tag in tags} - set(names))
    names |= _names(others, _get_items(session, [("category", identity) for identity in others]))
    by_id = zip(wanted, tags, strict=True)
    return {identity: Tag(names[tag["category_id"]], tag["name"]) for identity, tag in by_id}, names


def _get_items(session: RestSession, items: Sequence[tuple[str, str]]) -> list[Any]:
    return session.ask_all(
        [Question("GET", session.dialect.item(kind, identity)) for kind, identity in items]
    )


def _names(identities: Sequence[str], categories: Sequence[Any]) -> dict[str, str]:
    return {identity: category["name"] for identity, category in zip(identities, categories, strict=True)}


def _in_category(
    tags: Mapping[str, tuple[Tag, ...]], category: str, items: Iterable[Datacenter | ComputeCluster]
) -> dict[str, str]:
    return {
        item.moid: tag.name for item in items for tag in tags.get(item.moid, ()) if tag.category == category
    }
