"""Whether region and zone tags are as Kubernetes' storage driver needs them."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from gateways.prerequisites.objects import Objects
from gateways.prerequisites.report import Level, Line
from palette_portal.vsphere.inventory import ComputeCluster, Datacenter
from palette_portal.vsphere.tags import REGION_CATEGORY, ZONE_CATEGORY, Tagging, places_of

# The rule for label values, which the tags become.
VALID = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
LONGEST = 63
RULE = "letters, digits, dashes, dots and underscores, with a letter or digit at both ends, 63 at most"


def zone_lines(objects: Objects, tagging: Tagging) -> Iterator[Line]:
    """Several zones do not work without tags; a single one does, except for its storage."""
    found = places_of(tagging.tags, objects.inventory)
    level: Level = (
        "failed" if len({place.compute_cluster_moid for place in objects.scope.places}) > 1 else "warning"
    )
    for category in (REGION_CATEGORY, ZONE_CATEGORY):
        if category not in tagging.categories:
            hint = f"Create the tag category {category}, then a tag of it for each object."
            yield Line("zone-tags", level, "Tag category", category, "The category does not exist.", hint)
    datacenters = [item for item in objects.inventory.datacenters if item.moid in objects.datacenter_moids]
    yield from _lines("Data center", REGION_CATEGORY, datacenters, found.regions, level)
    yield from _lines("Compute cluster", ZONE_CATEGORY, objects.clusters, found.zones, level)


def _lines(
    kind: str,
    category: str,
    items: Sequence[Datacenter | ComputeCluster],
    values: Mapping[str, str],
    level: Level,
) -> Iterator[Line]:
    times = Counter(values[item.moid] for item in items if item.moid in values)
    for item in items:
        value = values.get(item.moid, "")
        problem = _problem(category, value, times[value])
        if problem:
            hint = f"Attach one tag of the category {category} with a value of its own. Allowed are {RULE}."
            yield Line("zone-tags", level, kind, item.name, problem, hint)
        else:
            yield Line("zone-tags", "passed", kind, item.name, f"It is tagged {category}: {value}.")


def _problem(category: str, value: str, times: int) -> str:
    if not value:
        return f"It has no tag of the category {category}."
    if not VALID.fullmatch(value) or len(value) > LONGEST:
        return f"Its tag “{value}” of the category {category} is not a valid value."
    if times > 1:
        return f"Its tag “{value}” of the category {category} is on another one too."
    return ""
