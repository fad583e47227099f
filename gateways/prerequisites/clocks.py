"""Whether the hosts keep the right time: nodes take theirs from the host, and certificates depend on it.

A host whose NTP service runs is believed. Of the others a few are asked what their clock says.
"""

from collections.abc import Iterator
from itertools import groupby

from gateways.prerequisites.objects import Objects
from gateways.prerequisites.report import Level, Line
from gateways.prerequisites.words import listed
from gateways.vcenter_checks import SKEW_WARNING_SECONDS
from palette_portal.vsphere.errors import VSphereError
from palette_portal.vsphere.inventory import ComputeCluster, Host
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.survey import HostTime, read_host_clock

CLOCKS_ASKED = 3
HINT = "Configure NTP servers on each ESXi host and let the service ntpd start and stop with the host."

Verdict = tuple[Level, str]


def clock_lines(objects: Objects, vcenter: VCenter) -> Iterator[Line]:
    asked = 0
    for cluster in objects.clusters:
        hosts = objects.hosts(cluster)
        verdicts = []
        for host in hosts:
            doubtful = host.connected and asked < CLOCKS_ASKED and _trouble(objects, host) != ""
            asked += doubtful
            verdicts.append((_verdict(objects, host, vcenter if doubtful else None), host.name))
        yield from _lines(cluster, verdicts)


def _lines(cluster: ComputeCluster, verdicts: list[tuple[Verdict, str]]) -> Iterator[Line]:
    ordered = sorted(verdicts)
    for (level, sentence), group in groupby(ordered, key=lambda verdict: verdict[0]):
        names = [name for _verdict, name in group]
        everyone = f"All {len(names)} hosts of {cluster.name}"
        who = everyone if len(names) == len(verdicts) > 2 else listed(names, most=2)
        yield Line("ntp", level, "ESXi host", who, sentence, HINT if level != "passed" else "")


def _verdict(objects: Objects, host: Host, vcenter: VCenter | None) -> Verdict:
    if not host.connected:
        return "warning", "Not connected to vCenter, so its time is not known."
    trouble = _trouble(objects, host)
    if not trouble:
        return "passed", "NTP is configured and its service runs."
    skew = _skew_seconds(vcenter, objects.survey.host_times[host.moid]) if vcenter else None
    if skew is None or abs(skew) <= SKEW_WARNING_SECONDS:
        return "warning", trouble if skew is None else f"{trouble} Its clock is right at the moment."
    direction = "ahead of" if skew > 0 else "behind"
    return "failed", f"{trouble} Its clock is {abs(skew)} s {direction} the portal's."


def _trouble(objects: Objects, host: Host) -> str:
    time = objects.survey.host_times[host.moid]
    if time.ntp_running is None or (time.ntp_servers is None and not time.ntp_running):
        return "Whether NTP runs cannot be read with this account."
    if not time.ntp_servers:
        return "No NTP server is configured."
    return "" if time.ntp_running else "NTP is configured, but its service does not run."


def _skew_seconds(vcenter: VCenter, time: HostTime) -> int | None:
    if not time.clock_moid:
        return None
    try:
        return round(read_host_clock(vcenter, time.clock_moid).total_seconds())
    except VSphereError:  # not allowed, or the host does not answer: then only the service counts
        return None
