"""Tells which machines are switched on: one long question to vCenter, no polling."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim, vmodl

from tests.lab.api import VSphere
from tests.lab.guests.link import LOST, Link

PATHS = ("name", "runtime.powerState", "config.template")
DETAILS = ("name", "config.instanceUuid", "config.extraConfig", "config.vAppConfig", "guest.ipAddress")
WAIT_SECONDS = 20


@dataclass(frozen=True)
class Machine:
    moid: str
    name: str
    instance_uuid: str
    options: dict[str, str]
    properties: dict[str, str]
    address: str

    @property
    def disk(self) -> str:
        """Another clone has another disk, also with the same UUID."""
        return f"{self.instance_uuid}-{self.moid}"


class Watcher:
    """Calls `on(machine)` and `off(moid)`; after a lost session it looks at everything again."""

    def __init__(
        self,
        link: Link,
        *,
        on: Callable[[Machine], None],
        off: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        self._link, self._on, self._off, self._say = link, on, off, say
        self._running: set[str] = set()
        self._collector: Any = None

    def stop(self) -> None:
        """End the question that is waiting for an answer."""
        if self._collector:
            with contextlib.suppress(*LOST, vmodl.MethodFault):
                self._collector.DestroyPropertyCollector()

    def watch(self) -> None:
        failures = 0
        while not self._link.stopped.is_set():
            try:
                for seen in self._changes():
                    failures = 0
                    self._apply(seen)
            except (*LOST, vmodl.MethodFault) as error:
                if not self._link.stopped.is_set():
                    self._note_loss(error, failures)
                failures += 1

    def _note_loss(self, error: Exception, failures: int) -> None:
        if failures == 0:
            self._say(f"vCenter is lost ({type(error).__name__}); trying again")
        self._link.lose()
        self._link.pause_after(failures)

    def _changes(self) -> Iterator[dict[str, bool]]:
        """First all machines, then what changes: moid -> is switched on."""
        session = self._link.session()
        self._collector = collector = session.content.propertyCollector.CreatePropertyCollector()
        view = session.content.viewManager.CreateContainerView(
            session.content.rootFolder, [vim.VirtualMachine], True
        )
        collector.CreateFilter(session.view_filter(view, vim.VirtualMachine, PATHS), True)
        version, first = "", True
        while not self._link.stopped.is_set():
            update = collector.WaitForUpdatesEx(
                version, vmodl.query.PropertyCollector.WaitOptions(maxWaitSeconds=WAIT_SECONDS)
            )
            if update is None:
                continue
            version = update.version
            seen = dict(_power_states(update))
            if first:
                seen = dict.fromkeys(self._running, False) | seen
                first = False
            yield seen

    def _apply(self, seen: dict[str, bool]) -> None:
        for moid, is_on in seen.items():
            if is_on and moid not in self._running:
                self._running.add(moid)
                machine = _details(self._link.session(), moid)
                if machine:
                    self._on(machine)
            elif not is_on and moid in self._running:
                self._running.discard(moid)
                self._off(moid)


def _power_states(update: Any) -> Iterator[tuple[str, bool]]:
    for filtered in update.filterSet:
        for changed in filtered.objectSet:
            values = {change.name: change.val for change in changed.changeSet}
            if changed.kind == "leave":
                yield changed.obj._GetMoId(), False
            elif "runtime.powerState" in values:
                yield changed.obj._GetMoId(), values["runtime.powerState"] == "poweredOn"


def _details(session: VSphere, moid: str) -> Machine | None:
    vm = vim.VirtualMachine(moid, session.instance._GetStub())
    try:
        values = session.read(vm, *DETAILS)
    except vmodl.fault.ManagedObjectNotFound:
        return None
    options = {option.key: str(option.value) for option in values.get("config.extraConfig") or []}
    return Machine(
        moid=moid,
        name=values["name"],
        instance_uuid=values.get("config.instanceUuid", ""),
        options=options,
        properties=_properties(values.get("config.vAppConfig")),
        address=values.get("guest.ipAddress") or "",
    )


def _properties(config: Any) -> dict[str, str]:
    return {item.id: item.value or item.defaultValue or "" for item in config.property} if config else {}
