"""The check itself: every question to vCenter once, for all objects together, then the lines of the report.

Nothing here changes anything, so it may run twice. It never raises for what vCenter says or does not say.
"""

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address

from django.conf import settings

from gateways.logins import note_refusal, open_session
from gateways.models import CloudAccount
from gateways.prerequisites.clocks import clock_lines
from gateways.prerequisites.objects import MOST_OBJECTS, Objects, image_folders, machines_folder, targets
from gateways.prerequisites.permissions import privilege_lines, wanted_ids
from gateways.prerequisites.placing import placing_lines
from gateways.prerequisites.report import Line, Report
from gateways.prerequisites.room import address_lines, room_lines
from gateways.prerequisites.scope import EMPTY, Scope
from gateways.prerequisites.table import table_for
from gateways.prerequisites.words import listed
from gateways.prerequisites.zones import zone_lines
from gateways.time_limit import within_alone
from gateways.vcenter_checks import skew_warning
from palette_portal.vsphere.endpoint import parse_server
from palette_portal.vsphere.errors import VSphereError
from palette_portal.vsphere.privileges import fetch_privileges
from palette_portal.vsphere.session import Credentials, VCenter, connect
from palette_portal.vsphere.survey import read_contents, read_survey, root_moid
from palette_portal.vsphere.tags import read_tagging
from palette_portal.vsphere.trust import Timeouts
from palette_portal.vsphere.version import clock_skew, judge_version

RESOLVE_SECONDS = 5.0
LOGIN_ROUND_TRIPS = 2

# What a page shows while it runs, in this order.
STAGES = (
    "Resolve the name",
    "Log in",
    "Read the inventory",
    "Compare privileges",
    "Look at hosts, storage and networks",
    "Read zone tags",
)
Progress = Callable[[int, Sequence[Line]], None]


def nobody_looks(_stage: int, _lines: Sequence[Line]) -> None:
    return


def run_checks(
    account: CloudAccount | Credentials, scope: Scope = EMPTY, *, progress: Progress = nobody_looks
) -> Report:
    """`progress` is called with the index of the stage that begins and the lines so far."""
    credentials = account.credentials() if isinstance(account, CloudAccount) else account
    run = _Run(scope, progress)
    run.stage(0, lambda: [*_name(credentials.server), *address_lines(scope)])
    progress(1, run.lines)
    try:
        with _session(account) as vcenter:
            return run.ask(vcenter)
    except VSphereError as error:
        hint = error.hint
        run.lines.append(Line("login", "failed", "vCenter", credentials.server, error.sentence, hint))
        return Report(tuple(run.lines), server=credentials.server)


class _Run:
    def __init__(self, scope: Scope, progress: Progress) -> None:
        self.scope = scope
        self.progress = progress
        self.lines: list[Line] = []

    def stage(self, index: int, look: Callable[[], Iterable[Line]]) -> None:
        """A question that vCenter does not answer is one failed line; the other stages go on."""
        self.progress(index, self.lines)
        found: list[Line] = []
        try:
            for line in look():
                found.append(line)
        except VSphereError as error:
            sentence = f"This could not be checked: {error.sentence}"
            found.append(Line("unanswered", "failed", "vCenter", STAGES[index], sentence, error.hint))
        self.lines += found

    def ask(self, vcenter: VCenter) -> Report:
        # A session that nobody used before was opened for this check: its login counts.
        used = vcenter.round_trips
        before = used if used > LOGIN_ROUND_TRIPS else 0
        self.progress(2, self.lines)
        objects = self._read(vcenter)
        self.lines += [*_version(vcenter), *_clock(vcenter)]
        self.stage(3, lambda: _privileges(objects, vcenter))
        self.stage(4, lambda: _placement(objects, vcenter))
        self.stage(5, lambda: _zones(objects, vcenter))
        return Report(
            tuple(self.lines),
            server=vcenter.server,
            version=vcenter.about.version,
            principal=objects.survey.username,
            round_trips=vcenter.round_trips - before,
            image_is_there=objects.image is not None if self.scope.image_template else None,
            free_memory_mib=_free_memory(objects),
        )

    def _read(self, vcenter: VCenter) -> Objects:
        survey, scope = read_survey(vcenter), self.scope
        machines = machines_folder(scope, survey.inventory)
        folders = {machines.moid} if machines else set()
        if scope.image_template:
            found = image_folders(scope, survey.inventory, [scope.datacenter_moid])
            folders |= {folder.moid for folder in found}
        contents = read_contents(vcenter, sorted(folders)) if folders else {}
        return Objects(scope, survey, root_moid(vcenter), contents)


@contextmanager
def _session(account: CloudAccount | Credentials) -> Iterator[VCenter]:
    """The account's own session, which stays; one of its own for credentials that are not kept yet."""
    if isinstance(account, Credentials):
        timeouts = Timeouts(settings.VSPHERE_CONNECT_TIMEOUT_SECONDS, settings.VSPHERE_READ_TIMEOUT_SECONDS)
        with connect(account, timeouts) as vcenter:
            yield vcenter
        return
    try:
        vcenter = open_session(account)
    except VSphereError as error:
        note_refusal(account, error)
        raise
    yield vcenter


def _name(server: str) -> Iterator[Line]:
    host, kind = parse_server(server).host, "vCenter"
    if _is_address(host):
        yield Line("dns", "passed", kind, server, "It is reached by its address, without DNS.")
        return
    addresses = _resolve(host)
    if addresses:
        yield Line("dns", "passed", kind, server, f"The name leads to {listed(addresses, most=2)}.")
    else:
        hint = "Add the name to the DNS servers that the portal uses, or use the server's address."
        yield Line("dns", "failed", kind, server, f"The name {host} cannot be resolved by the portal.", hint)


def _resolve(host: str) -> list[str]:
    def ask() -> list[str]:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return []
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    return within_alone(RESOLVE_SECONDS, ask) or []


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _version(vcenter: VCenter) -> Iterator[Line]:
    verdict = judge_version(vcenter.about)
    if verdict.level == "ok":
        yield Line("version", "passed", "vCenter", vcenter.server, verdict.sentence)
    else:
        hint = "Use vCenter 7.0 or 8.0."
        yield Line("version", "warning", "vCenter", vcenter.server, verdict.sentence, hint)


def _clock(vcenter: VCenter) -> Iterator[Line]:
    warning = skew_warning(round(clock_skew(vcenter).total_seconds()))
    if warning:
        hint = "Use the same NTP servers for vCenter and for the portal."
        yield Line("clock", "warning", "vCenter", vcenter.server, warning, hint)
    else:
        yield Line("clock", "passed", "vCenter", vcenter.server, "Its clock agrees with the portal's.")


def _privileges(objects: Objects, vcenter: VCenter) -> Iterator[Line]:
    table, every = table_for(vcenter.about.version), targets(objects)
    wanted = every[:MOST_OBJECTS]
    held = fetch_privileges(
        vcenter,
        [(target.vsphere_kind, target.moid) for target in wanted],
        username=objects.survey.username,
        session_key=objects.survey.session_key,
        wanted=wanted_ids(table) & (objects.survey.known_privileges or wanted_ids(table)),
    )
    yield from privilege_lines(table, wanted, held, objects.survey.known_privileges)
    if len(every) > len(wanted):
        sentence = f"Compared on {len(wanted)} of {len(every)} objects, the general ones first."
        yield Line("privileges", "passed", "vCenter", vcenter.server, sentence)


def _free_memory(objects: Objects) -> dict[str, int]:
    capacities = objects.survey.capacities
    chosen = [cluster.moid for cluster in objects.clusters if cluster.moid in capacities]
    return {moid: capacities[moid].free_memory_mib for moid in chosen}


def _placement(objects: Objects, vcenter: VCenter) -> Iterator[Line]:
    yield from placing_lines(objects)
    yield from room_lines(objects)
    yield from clock_lines(objects, vcenter)


def _zones(objects: Objects, vcenter: VCenter) -> Iterator[Line]:
    places = [("Datacenter", moid) for moid in objects.datacenter_moids]
    places += [("ClusterComputeResource", cluster.moid) for cluster in objects.clusters]
    yield from zone_lines(objects, read_tagging(vcenter, places))
