"""Reading properties: named leaves through the PropertyCollector, paged; never attributes of live objects."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from palette_portal.vsphere.errors import NotFound
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.vmomi import vim, vmodl

PAGE = 1000

PropertyCollector = vmodl.query.PropertyCollector


@dataclass(frozen=True)
class Traversal:
    """From an object of this kind go on to what its property names."""

    kind: str
    path: str


@dataclass(frozen=True)
class Properties:
    kind: str
    moid: str
    values: Mapping[str, Any]

    def get(self, path: str, default: Any = None) -> Any:
        value = self.values.get(path)
        return default if value is None else value

    def moid_at(self, path: str) -> str:
        managed = self.values.get(path)
        return "" if managed is None else moid_of(managed)

    def moids_at(self, path: str) -> tuple[str, ...]:
        return tuple(moid_of(managed) for managed in self.values.get(path) or ())


def read_one(vcenter: VCenter, kind: str, moid: str, paths: Sequence[str]) -> Properties:
    """The object's properties; NotFound when it is gone."""
    return next(collect(vcenter, [vcenter.managed(kind, moid)], {kind: paths}))


def read_many(
    vcenter: VCenter, kind: str, moids: Sequence[str], paths: Sequence[str]
) -> dict[str, Properties | None]:
    """By id; None for one that is gone. That one spoils a question, so then the halves are asked for."""
    starts = [vcenter.managed(kind, moid) for moid in moids]
    try:
        return {found.moid: found for found in collect(vcenter, starts, {kind: paths})}
    except NotFound:
        if len(moids) == 1:
            return {moids[0]: None}
    half = len(moids) // 2
    return read_many(vcenter, kind, moids[:half], paths) | read_many(vcenter, kind, moids[half:], paths)


def collect(
    vcenter: VCenter,
    starts: Sequence[Any],
    wanted: Mapping[str, Sequence[str]],
    traversals: Sequence[Traversal] = (),
) -> Iterator[Properties]:
    """One sweep from the starting objects along the traversals; a page is one round trip."""
    return collect_all(vcenter, [filter_spec(starts, wanted, traversals)])


def collect_all(vcenter: VCenter, specs: Sequence[Any]) -> Iterator[Properties]:
    """Several sweeps in the same round trips."""
    collector = vcenter.content.propertyCollector
    page = _first_page(vcenter, specs)
    while page is not None:
        for found in page.objects:
            yield _properties(found)
        page = collector.ContinueRetrievePropertiesEx(page.token) if page.token else None


def filter_spec(
    starts: Sequence[Any], wanted: Mapping[str, Sequence[str]], traversals: Sequence[Traversal] = ()
) -> Any:
    select = _select_sets(traversals)
    return PropertyCollector.FilterSpec(
        objectSet=[PropertyCollector.ObjectSpec(obj=start, skip=False, selectSet=select) for start in starts],
        propSet=[
            PropertyCollector.PropertySpec(type=getattr(vim, kind), all=False, pathSet=list(paths))
            for kind, paths in wanted.items()
        ],
    )


def _select_sets(traversals: Sequence[Traversal]) -> list[Any]:
    """Each traversal may be followed by every other: names make the recursion."""
    names = [f"{traversal.kind}.{traversal.path}" for traversal in traversals]
    return [
        PropertyCollector.TraversalSpec(
            name=name,
            type=getattr(vim, traversal.kind),
            path=traversal.path,
            skip=False,
            selectSet=[PropertyCollector.SelectionSpec(name=other) for other in names],
        )
        for name, traversal in zip(names, traversals, strict=True)
    ]


def _first_page(vcenter: VCenter, specs: Sequence[Any]) -> Any:
    """An ended session may be answered with objects without values instead of a fault."""
    cookie = vcenter.stub.cookie
    page = _retrieve(vcenter, specs)
    if _session_has_ended(page):
        vcenter.log_in_again(cookie)
        page = _retrieve(vcenter, specs)
    return page


def _retrieve(vcenter: VCenter, specs: Sequence[Any]) -> Any:
    options = PropertyCollector.RetrieveOptions(maxObjects=PAGE)
    return vcenter.content.propertyCollector.RetrievePropertiesEx(list(specs), options)


def _session_has_ended(page: Any) -> bool:
    found = page.objects if page is not None else ()
    missing = (missing.fault for entry in found for missing in entry.missingSet or ())
    return any(isinstance(fault, vim.fault.NotAuthenticated) for fault in missing)


def _properties(found: Any) -> Properties:
    values = {entry.name: entry.val for entry in found.propSet or ()}
    return Properties(kind_of(found.obj), moid_of(found.obj), values)


def moid_of(managed: Any) -> str:
    moid: str = managed._GetMoId()
    return moid


def kind_of(managed: Any) -> str:
    return type(managed).__name__.rpartition(".")[2]
