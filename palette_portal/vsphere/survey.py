"""Everything a check of prerequisites looks at, in as few round trips as the questions allow."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from palette_portal.vsphere.capacity import HOST_PATHS, Capacity, capacity_of
from palette_portal.vsphere.inventory import TRAVERSALS, WANTED, Inventory, inventory_of, plain_name
from palette_portal.vsphere.properties import (
    Properties,
    Traversal,
    collect,
    collect_all,
    filter_spec,
    moid_of,
)
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.vmomi import vim

NTP_SERVICE = "ntpd"
TIME_PATHS = (
    "config.service.service",
    "config.dateTimeInfo.ntpConfig.server",
    "configManager.dateTimeSystem",
)
SURVEYED: Mapping[str, Sequence[str]] = {
    **WANTED,
    "HostSystem": (*WANTED["HostSystem"], *HOST_PATHS, *TIME_PATHS),
}


@dataclass(frozen=True)
class HostTime:
    """How a host keeps its time. None: the account may not read it."""

    moid: str
    ntp_running: bool | None
    ntp_servers: tuple[str, ...] | None
    clock_moid: str


@dataclass(frozen=True)
class Survey:
    inventory: Inventory
    host_times: Mapping[str, HostTime]
    capacities: Mapping[str, Capacity]
    # The distributed switch of each distributed port group.
    switches: Mapping[str, str]
    # Ids that this vCenter knows; empty when it does not say.
    known_privileges: frozenset[str]
    # Who the session is, in vCenter's own words: DOMAIN\\user.
    username: str
    session_key: str


@dataclass(frozen=True)
class Named:
    moid: str
    name: str
    instance_uuid: str
    is_template: bool


def read_survey(vcenter: VCenter) -> Survey:
    """One paged sweep: a round trip per thousand objects."""
    content = vcenter.content
    specs = [
        filter_spec([content.rootFolder], SURVEYED, TRAVERSALS),
        filter_spec([content.authorizationManager], {"AuthorizationManager": ["privilegeList"]}),
        filter_spec([content.sessionManager], {"SessionManager": ["currentSession"]}),
    ]
    found = list(collect_all(vcenter, specs))
    inventory = inventory_of(found)
    hosts = {item.moid: item for item in found if item.kind == "HostSystem"}
    session = _value(found, "SessionManager", "currentSession")
    return Survey(
        inventory=inventory,
        host_times={moid: _host_time(host) for moid, host in hosts.items()},
        capacities={
            cluster.moid: capacity_of(hosts[moid] for moid in cluster.host_moids)
            for cluster in inventory.compute_clusters
        },
        switches={
            item.moid: item.moid_at("config.distributedVirtualSwitch")
            for item in found
            if item.kind == "DistributedVirtualPortgroup" and item.get("config.distributedVirtualSwitch")
        },
        known_privileges=frozenset(
            privilege.privId for privilege in _value(found, "AuthorizationManager", "privilegeList") or ()
        ),
        username=session.userName if session else vcenter.credentials.username,
        session_key=session.key if session else "",
    )


def root_moid(vcenter: VCenter) -> str:
    return moid_of(vcenter.content.rootFolder)


def read_contents(vcenter: VCenter, folder_moids: Iterable[str]) -> dict[str, tuple[Named, ...]]:
    """The machines and templates directly in each of these folders."""
    folders = [vcenter.managed("Folder", moid) for moid in folder_moids]
    found = collect(
        vcenter,
        folders,
        {"VirtualMachine": ["name", "parent", "config.template", "config.instanceUuid"]},
        [Traversal("Folder", "childEntity")],
    )
    contents: dict[str, tuple[Named, ...]] = {}
    for item in found if folders else ():
        folder = item.moid_at("parent")
        contents[folder] = (*contents.get(folder, ()), _named(item))
    return contents


def read_host_clock(vcenter: VCenter, clock_moid: str) -> timedelta:
    """How far an ESXi host's clock is ahead of ours."""
    before = datetime.now(UTC)
    theirs: datetime = vim.host.DateTimeSystem(clock_moid, vcenter.stub).QueryDateTime()
    after = datetime.now(UTC)
    return theirs - (before + (after - before) / 2)


def _host_time(host: Properties) -> HostTime:
    services = host.get("config.service.service")
    servers = host.get("config.dateTimeInfo.ntpConfig.server")
    running = [service.running for service in services or () if service.key == NTP_SERVICE]
    return HostTime(
        moid=host.moid,
        ntp_running=None if services is None else any(running),
        ntp_servers=None if servers is None else tuple(servers),
        clock_moid=host.moid_at("configManager.dateTimeSystem"),
    )


def _named(item: Properties) -> Named:
    return Named(
        moid=item.moid,
        name=plain_name(item.get("name", "")),
        instance_uuid=item.get("config.instanceUuid", ""),
        is_template=bool(item.get("config.template", False)),
    )


def _value(found: Iterable[Properties], kind: str, path: str) -> Any:
    return next((item.get(path) for item in found if item.kind == kind), None)
