"""Tags, which vCenter offers over REST only. Own session, logged out at the end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from palette_portal.vsphere.inventory import Inventory
from palette_portal.vsphere.rest import NEWER, OLDER, Dialect, NotSpoken, RestSession, rest_session
from palette_portal.vsphere.session import VCenter

REGION_CATEGORY = "k8s-region"
ZONE_CATEGORY = "k8s-zone"


@dataclass(frozen=True, order=True)
class Tag:
    category: str
    name: str


@dataclass(frozen=True)
class Places:
    """Region of each datacenter and zone of each compute cluster by id; untagged ones are left out."""

    regions: Mapping[str, str]
    zones: Mapping[str, str]


def read_places(vcenter: VCenter, inventory: Inventory) -> Places:
    datacenters = [("Datacenter", datacenter.moid) for datacenter in inventory.datacenters]
    clusters = [("ClusterComputeResource", cluster.moid) for cluster in inventory.compute_clusters]
    tags = read_tags(vcenter, [*datacenters, *clusters])
    return Places(
        regions=_in_category(tags, REGION_CATEGORY, datacenters),
        zones=_in_category(tags, ZONE_CATEGORY, clusters),
    )


def read_tags(vcenter: VCenter, objects: Iterable[tuple[str, str]]) -> dict[str, tuple[Tag, ...]]:
    """Tags of these (kind, id) objects, by id."""
    wanted = [{"type": kind, "id": moid} for kind, moid in objects]
    try:
        return _read_tags(vcenter, NEWER, wanted)
    except NotSpoken:
        return _read_tags(vcenter, OLDER, wanted)


def _read_tags(
    vcenter: VCenter, dialect: Dialect, objects: list[dict[str, str]]
) -> dict[str, tuple[Tag, ...]]:
    with rest_session(vcenter.credentials, dialect, vcenter.timeouts) as session:
        attached = _attached(session, objects)
        names = {identity for identities in attached.values() for identity in identities}
        tags = _read_named(session, names)
    return {
        moid: tuple(sorted(tags[identity] for identity in identities))
        for moid, identities in attached.items()
    }


def _attached(session: RestSession, objects: list[dict[str, str]]) -> dict[str, list[str]]:
    answer = session.post(
        f"{session.dialect.tagging}/tag-association", "list-attached-tags-on-objects", {"object_ids": objects}
    )
    return {entry["object_id"]["id"]: entry.get("tag_ids") or [] for entry in answer or ()}


def _read_named(session: RestSession, identities: Iterable[str]) -> dict[str, Tag]:
    tags = {identity: session.get(session.dialect.item("tag", identity)) for identity in identities}
    categories = {
        identity: session.get(session.dialect.item("category", identity))["name"]
        for identity in {tag["category_id"] for tag in tags.values()}
    }
    return {identity: Tag(categories[tag["category_id"]], tag["name"]) for identity, tag in tags.items()}


def _in_category(
    tags: Mapping[str, tuple[Tag, ...]], category: str, objects: Iterable[tuple[str, str]]
) -> dict[str, str]:
    return {
        moid: tag.name for _kind, moid in objects for tag in tags.get(moid, ()) if tag.category == category
    }
