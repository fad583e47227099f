"""The cluster list: what is wanted (kept in the URL), in which order, and the rows of one page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, cached_property
from typing import Any, Self
from urllib.parse import quote
from uuid import UUID

from django.db.models import Count, F, Q, Value
from django.db.models.functions import Coalesce, Lower, NullIf
from django.http import QueryDict
from django.urls import reverse
from django.utils.http import urlencode

from clusters.actions.queue import Place, lines_of
from clusters.keyset import GroupedOrder, KeyPage, Order, key_page
from clusters.models import Cluster, ClusterAddOn, ClusterQuerySet, Machine
from clusters.models.clusters import numbers_padded
from clusters.profiles.models import ProfileType, ProfileVersion
from clusters.states import ClusterHealth, ClusterState, MachineState
from gateways.models import PrivateCloudGateway
from palette_portal.tenants.models import Project, User

ROWS_PER_PAGE = 50
COUNTED_UP_TO = 1000
LONGEST_TEXT = 128
DEFAULT_SORT = "-created"


_SORTS: Mapping[str, Order | GroupedOrder] = {
    "name": Order({"name": F("name")}),
    "state": Order({"state": F("state"), "name": F("name")}),
    "health": Order({"health": F("health"), "name": F("name")}),
    "profile": GroupedOrder(
        "profile_version",
        ProfileVersion.objects.all(),
        {"profile": Lower("profile__name"), "rank": F("rank")},
    ),
    "version": Order({"version": numbers_padded("kubernetes_version"), "name": F("name")}),
    "gateway": GroupedOrder("gateway", PrivateCloudGateway.objects.all(), {"gateway": Lower("name")}),
    "project": GroupedOrder("project", Project.objects.all(), {"project": Lower("name")}),
    "created": Order({"created": F("created_at")}),
}
_TENANT_OF_GROUP = {"profile": "profile__tenant", "gateway": "tenant", "project": "tenant"}


_OWN = (
    *("id", "name", "state", "health", "purpose", "kubernetes_version", "tags", "endpoint_host"),
    *("created_at", "gateway_id"),
)
_RELATED = {
    "gateway_name": Coalesce(NullIf("gateway__name", Value("")), Value("New gateway")),
    "project_name": F("project__name"),
    "profile_name": F("profile_version__profile__name"),
    "version": F("profile_version__version"),
}
# Planned once: Django needs as long for the joins as the database for the rows.
_COLUMNS = Cluster.objects.order_by().values(*_OWN, **_RELATED)
_NO_ID = str(UUID(int=0))


@dataclass(frozen=True)
class ListFilter:
    """What a person asks for. Values that mean nothing are dropped: addresses get edited."""

    text: str = ""
    states: tuple[str, ...] = ()
    health: str = ""
    project: UUID | None = None
    gateway: UUID | None = None
    profile: UUID | None = None
    tag: str = ""
    sort: str = DEFAULT_SORT

    @classmethod
    def from_query(cls, query: QueryDict) -> Self:
        states, sort = query.getlist("state"), query.get("sort", "")
        health = query.get("health", "")
        return cls(
            text=_clean(query.get("q", "")),
            states=tuple(state for state in ClusterState.values if state in states),
            health=health if health in ClusterHealth.values else "",
            project=_id(query.get("project", "")),
            gateway=_id(query.get("gateway", "")),
            profile=_id(query.get("profile", "")),
            tag=_clean(query.get("tag", "")),
            sort=sort if sort.removeprefix("-") in _SORTS else DEFAULT_SORT,
        )

    @property
    def query(self) -> str:
        """The shortest query string that means the same."""
        named = {
            "q": self.text,
            "state": self.states,
            "health": self.health,
            "project": str(self.project or ""),
            "gateway": str(self.gateway or ""),
            "profile": str(self.profile or ""),
            "tag": self.tag,
            "sort": "" if self.sort == DEFAULT_SORT else self.sort,
        }
        return urlencode({name: value for name, value in named.items() if value}, doseq=True)

    @property
    def is_open(self) -> bool:
        """Nothing is left out."""
        return replace(self, sort=DEFAULT_SORT) == type(self)()

    def order_in(self, tenant_id: UUID) -> Order | GroupedOrder:
        """Groups of other tenants would be gone through as well, for not one row."""
        name = self.sort.removeprefix("-")
        order = replace(_SORTS[name], descending=self.sort.startswith("-"))
        if isinstance(order, GroupedOrder):
            return replace(order, groups=order.groups.filter(**{_TENANT_OF_GROUP[name]: tenant_id}))
        return order

    def sorted_by(self, name: str) -> Self:
        """By this column; the other way round when it is sorted by it already."""
        return replace(self, sort=f"-{name}" if self.sort == name else name)

    def apply(self, clusters: ClusterQuerySet) -> ClusterQuerySet:
        clusters = clusters.in_states(self.states).filter(**self._equalities())
        if self.profile:
            clusters = clusters.filter(self._with_profile)
        if self.tag:
            clusters = clusters.filter(tags__contains=[self.tag])
        for word in self.text.lower().split():
            clusters = clusters.filter(Q(name__contains=word) | Q(endpoint_host__contains=word))
        return clusters

    @cached_property
    def _with_profile(self) -> Q:
        """Made of it; or with it attached, as add-ons are. A page asks for it twice."""
        versions = ProfileVersion.objects.filter(profile=self.profile).order_by()
        types = dict(versions.values_list("pk", "profile__type"))
        if ProfileType.ADD_ON not in types.values():
            return Q(profile_version__in=list(types))
        return Q(pk__in=ClusterAddOn.objects.filter(profile=self.profile).order_by().values("cluster"))

    def _equalities(self) -> dict[str, Any]:
        wanted = {
            "health": self.health,
            "project": self.project,
            "gateway": self.gateway,
        }
        return {name: value for name, value in wanted.items() if value}


@dataclass(frozen=True)
class ListedCluster:
    """Plain values: making five models for each row would take most of a page's time."""

    id: UUID
    name: str
    state: str
    health: str
    purpose: str
    kubernetes_version: str
    tags: tuple[str, ...]
    endpoint_host: str
    created_at: datetime
    gateway_id: UUID
    gateway_name: str
    project_name: str | None
    profile_name: str | None
    version: str | None
    nodes: int = 0
    running_nodes: int = 0
    # Where it waits for its gateway.
    place: Place | None = None

    @property
    def address(self) -> str:
        return _address_pattern().replace(_NO_ID, str(self.id))

    @property
    def tag(self) -> str:
        """The one that the row has room for."""
        return self.tags[0] if self.tags else ""

    @property
    def tag_query(self) -> str:
        return f"tag={quote(self.tag, safe='')}"

    @property
    def more_tags(self) -> str:
        return ", ".join(self.tags[1:])

    @property
    def more_tags_count(self) -> str:
        return f"+{len(self.tags) - 1}"


@dataclass(frozen=True)
class ListPage:
    rows: list[ListedCluster] = field(default_factory=list)
    previous: str = ""
    next: str = ""


def clusters_for(user: User, *, scope: Project | None) -> ClusterQuerySet:
    """What the person may see, in the project chosen in the side navigation or in all of them."""
    clusters = Cluster.objects.visible_to(user)
    return clusters.filter(project=scope) if scope else clusters


def list_page(
    clusters: ClusterQuerySet, wanted: ListFilter, tenant_id: UUID, *, at: str = "", size: int = ROWS_PER_PAGE
) -> ListPage:
    """Four queries: the keys from narrow rows, the rows themselves, their nodes, who waits."""
    page: KeyPage = key_page(wanted.apply(clusters), wanted.order_in(tenant_id), at=at, size=size)
    return ListPage(rows_of(page.ids), page.previous, page.next)


def count_of(clusters: ClusterQuerySet, wanted: ListFilter) -> str:
    """As words; exact only as far as anybody would count, because counting reads every row."""
    count = wanted.apply(clusters).order_by()[: COUNTED_UP_TO + 1].count()
    if count > COUNTED_UP_TO:
        return f"More than {COUNTED_UP_TO:,} clusters"
    return "1 cluster" if count == 1 else f"{count:,} clusters"


def all_rows(
    clusters: ClusterQuerySet, wanted: ListFilter, tenant_id: UUID, *, size: int = 500
) -> Iterator[ListedCluster]:
    page = list_page(clusters, wanted, tenant_id, size=size)
    yield from page.rows
    while page.next:
        page = list_page(clusters, wanted, tenant_id, at=page.next, size=size)
        yield from page.rows


def rows_of(ids: Sequence[UUID]) -> list[ListedCluster]:
    if not ids:
        return []
    columns = {row["id"]: {**row, "tags": tuple(row["tags"])} for row in _COLUMNS.filter(pk__in=ids)}
    nodes, lines = _nodes_of(ids), lines_of({row["gateway_id"] for row in columns.values()})
    places = {place.cluster_id: place for line in lines.values() for place in line}

    def listed(key: UUID) -> ListedCluster:
        total, running = nodes.get(key, (0, 0))
        return ListedCluster(**columns[key], nodes=total, running_nodes=running, place=places.get(key))

    return [listed(key) for key in ids if key in columns]


@cache
def _address_pattern() -> str:
    """Looking the address up for each row would take a sixth of the row's time."""
    return reverse("clusters:detail", args=[_NO_ID])


def _nodes_of(ids: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    running = Count("pk", filter=Q(state=MachineState.RUNNING))
    counted = Machine.objects.present().filter(cluster__in=list(ids)).order_by().values("cluster")
    rows = counted.annotate(nodes=Count("pk"), running=running)
    return {row["cluster"]: (row["nodes"], row["running"]) for row in rows}


def _clean(text: str) -> str:
    return text.replace("\x00", "")[:LONGEST_TEXT].strip()


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
