"""The prerequisites as people read them, made from the same data as the checks."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from gateways.placement import NEEDS
from gateways.prerequisites.scope import IMAGE_FOLDER
from gateways.prerequisites.table import READ_ONLY, ROLE_NAMES, ROLE_TITLES, ROOT, SPECTRO, Privilege, Table
from gateways.prerequisites.zones import RULE
from palette_portal.vsphere.tags import REGION_CATEGORY, ZONE_CATEGORY

END_OF_SUPPORT = {
    "6.7": "VMware ended general support for 6.7 in October 2022. It works here, with a warning."
}


@dataclass(frozen=True)
class Need:
    title: str
    text: str


@dataclass(frozen=True)
class GuideRole:
    key: str
    title: str
    name: str
    objects: tuple[str, ...]
    groups: tuple[tuple[str, tuple[Privilege, ...]], ...]
    count: int


@dataclass(frozen=True)
class Guide:
    version: str
    warning: str
    needs: tuple[Need, ...]
    roles: tuple[GuideRole, ...]
    read_only: GuideRole


def guide(table: Table) -> Guide:
    return Guide(
        version=table.version,
        warning=END_OF_SUPPORT.get(table.version, ""),
        needs=tuple(_needs()),
        roles=tuple(_role(table, role) for role in (ROOT, SPECTRO)),
        read_only=_read_only(table),
    )


def _role(table: Table, role: str) -> GuideRole:
    privileges = table.of_role(role)
    grouped = groupby(privileges, key=lambda privilege: privilege.group)
    return GuideRole(
        key=role,
        title=ROLE_TITLES[role],
        name=ROLE_NAMES[role],
        objects=tuple(
            f"{kind.title}{' and below' if kind.propagate else ''}"
            for kind in table.kinds.values()
            if kind.role == role
        ),
        groups=tuple((group, tuple(members)) for group, members in grouped),
        count=len(privileges),
    )


def _read_only(table: Table) -> GuideRole:
    """vCenter has this role; the other two contain it."""
    needing = [kind.title for kind in table.kinds.values() if kind.key in table.read_only_must_on]
    ids = tuple(Privilege(one, "System", one, frozenset(), frozenset()) for one in sorted(table.read_only))
    return GuideRole(
        READ_ONLY, ROLE_TITLES[READ_ONLY], ROLE_NAMES[READ_ONLY], tuple(needing), (("System", ids),), len(ids)
    )


def _needs() -> Iterator[Need]:
    yield Need("vCenter", "Version 7.0 or 8.0. 6.7 still works, but nobody corrects its faults any more.")
    yield Need(
        "Compute clusters",
        "Each one that takes nodes has a resource pool, and all its hosts reach one datastore: without "
        "shared storage a machine cannot restart on another host.",
    )
    yield Need(
        "Time",
        "NTP is configured on every ESXi host and its service runs. Nodes take their time from the host, and "
        "a wrong clock makes their certificates invalid.",
    )
    yield Need(
        "Image folder",
        f"A virtual machine folder named {IMAGE_FOLDER} in the data center. Images of nodes are imported "
        "into it, and nodes are cloned from them.",
    )
    yield Need(
        "Room for a gateway",
        "; ".join(
            f"{'One node' if nodes == 1 else f'{nodes} nodes'}: {need}" for nodes, need in NEEDS.items()
        )
        + ".",
    )
    yield Need(
        "Addresses",
        "One for each node, one for the Kubernetes API and one spare, which the first new node of an "
        "upgrade takes. Load balancers of your applications need addresses besides. With DHCP, dynamic DNS "
        "is needed.",
    )
    yield Need(
        "Network",
        "Nodes reach this portal on TCP port 443, directly or through a proxy, and a DNS server that "
        "resolves its name and public names.",
    )
    yield Need(
        "Zone tags",
        f"A tag of the category {REGION_CATEGORY} on the data center and one of {ZONE_CATEGORY} on each "
        f"compute cluster, each with a value of its own. Volumes follow their zone by them. "
        f"Allowed are {RULE}.",
    )
    yield Need(
        "Distributed switch",
        "If the network is a distributed port group, its switch needs the role Read-only, not propagated.",
    )
