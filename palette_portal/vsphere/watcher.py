"""Many vSphere tasks and guests of one vCenter watched with one waiting call instead of a call for each."""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, Self

from palette_portal.vsphere.errors import NotFound
from palette_portal.vsphere.properties import Properties, filter_spec, kind_of, moid_of, read_many
from palette_portal.vsphere.session import Credentials, VCenter
from palette_portal.vsphere.tasks import TASK_PATHS, VSphereTask, task_from
from palette_portal.vsphere.trust import Timeouts
from palette_portal.vsphere.vmomi import vmodl

PropertyCollector = vmodl.query.PropertyCollector

PER_FILTER = 200
WATCHED_PATHS = {
    "Task": TASK_PATHS,
    "VirtualMachine": (
        "name",
        "guest.ipAddress",
        "runtime.powerState",
        "config.hardware.numCPU",
        "config.hardware.memoryMB",
    ),
}

Key = tuple[str, str]


@dataclass(frozen=True)
class TaskChanged:
    task: VSphereTask


@dataclass(frozen=True)
class MachineChanged:
    """Numbers are 0 while vCenter does not know them, as of a machine whose host is away."""

    moid: str
    ip_address: str
    power_state: str
    name: str = ""
    num_cpus: int = 0
    memory_mib: int = 0


@dataclass(frozen=True)
class Gone:
    """The task or machine is unknown to vCenter: look again at what it stood for."""

    moid: str


Change = TaskChanged | MachineChanged | Gone


class TaskWatcher:
    """Own session. Tell it what to watch, then call `wait` again and again; each change comes once.

    After any VSphereError close it and make a new one: filters live and die with the session.
    """

    def __init__(self, credentials: Credentials, timeouts: Timeouts | None = None) -> None:
        self.vcenter = VCenter(credentials, timeouts).open()
        self.vcenter.stub.log_in_again = None  # a new session would not know the filters
        try:
            self._new_collector()
        except BaseException:
            self.vcenter.close()
            raise
        self._wanted: set[Key] = set()
        self._values: dict[Key, dict[str, Any]] = {}
        self._told: dict[Key, Hashable] = {}

    def _new_collector(self) -> None:
        self.collector: Any = self.vcenter.content.propertyCollector.CreatePropertyCollector()
        self.version = ""
        self._filters: list[tuple[frozenset[Key], Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self.vcenter.close()

    def watch(self, task_moids: Collection[str], machine_moids: Collection[str] = ()) -> list[Change]:
        """Watch exactly these from now on; gives the state of those that are new."""
        wanted = {("Task", moid) for moid in task_moids} | {
            ("VirtualMachine", moid) for moid in machine_moids
        }
        new = sorted(wanted - self._wanted)
        self._forget(self._wanted - wanted)
        self._wanted = wanted
        return self._begin(new)

    def wait(self, seconds: int) -> list[Change]:
        """Changes as soon as there are any; an empty list after this many seconds."""
        options = PropertyCollector.WaitOptions(maxWaitSeconds=seconds)
        try:
            updates = self.collector.WaitForUpdatesEx(self.version, options)
        except NotFound:  # older servers answer so once a watched object is gone
            return self._start_over()
        if updates is None:
            return []
        self.version = updates.version
        return list(self._changes(updates))

    def look_again(self) -> list[Change]:
        """Read all machines anew: what a server does not report by itself is found so."""
        return list(self._read_new(sorted(key for key in self._wanted if key[0] == "VirtualMachine")))

    def run(
        self,
        wanted: Callable[[], tuple[Collection[str], Collection[str]]],
        on_change: Callable[[Change], None],
        stop: Event,
        *,
        seconds: int = 1,
    ) -> None:
        """Watch what `wanted` says (ids of tasks, ids of machines) and report changes until told to stop."""
        while not stop.is_set():
            for change in self.watch(*wanted()):
                on_change(change)
            for change in self.wait(seconds):
                on_change(change)

    def _start_over(self) -> list[Change]:
        self.collector.DestroyPropertyCollector()
        self._new_collector()
        return self._begin(sorted(self._wanted))

    def _begin(self, keys: Sequence[Key]) -> list[Change]:
        for start in range(0, len(keys), PER_FILTER):
            self._add_filter(keys[start : start + PER_FILTER])
        return list(self._read_new(keys))

    def _add_filter(self, keys: Sequence[Key]) -> None:
        """One filter for all; if one of them is gone, a filter for each that is not."""
        try:
            self._filters.append((frozenset(keys), self._create_filter(keys)))
        except NotFound:
            if len(keys) > 1:
                for key in keys:
                    self._add_filter([key])

    def _create_filter(self, keys: Sequence[Key]) -> Any:
        starts = [self.vcenter.managed(kind, moid) for kind, moid in keys]
        kinds = {kind for kind, _moid in keys}
        wanted = {kind: paths for kind, paths in WATCHED_PATHS.items() if kind in kinds}
        return self.collector.CreateFilter(filter_spec(starts, wanted), True)

    def _forget(self, keys: set[Key]) -> None:
        for key in keys:
            self._values.pop(key, None)
            self._told.pop(key, None)
        left = self._wanted - keys
        for filtered, created in self._filters:
            if not filtered & left:
                created.DestroyPropertyFilter()
        self._filters = [(filtered, created) for filtered, created in self._filters if filtered & left]

    def _read_new(self, keys: Sequence[Key]) -> Iterator[Change]:
        """Older servers report a new filter's state only with the next change, so it is read at once."""
        for kind in WATCHED_PATHS:
            of_kind = [key for key in keys if key[0] == kind]
            for start in range(0, len(of_kind), PER_FILTER):
                yield from self._read(of_kind[start : start + PER_FILTER])

    def _read(self, keys: Sequence[Key]) -> Iterator[Change]:
        kind, moids = keys[0][0], [moid for _kind, moid in keys]
        for moid, found in read_many(self.vcenter, kind, moids, WATCHED_PATHS[kind]).items():
            if found is None:
                yield from self._tell((kind, moid), Gone(moid))
            else:
                yield from self._note((kind, moid), found.values)

    def _changes(self, updates: Any) -> Iterator[Change]:
        for filter_update in updates.filterSet or ():
            for update in filter_update.objectSet or ():
                key = (kind_of(update.obj), moid_of(update.obj))
                if key not in self._wanted:
                    continue
                if update.kind == "leave":
                    yield from self._tell(key, Gone(key[1]))
                else:
                    yield from self._note(key, {entry.name: entry.val for entry in update.changeSet or ()})

    def _note(self, key: Key, values: Mapping[str, Any]) -> Iterator[Change]:
        known = self._values.setdefault(key, {})
        known.update(values)
        yield from self._tell(key, _change(Properties(*key, known), self.vcenter.server))

    def _tell(self, key: Key, change: Change) -> Iterator[Change]:
        if self._told.get(key) != _essence(change):
            self._told[key] = _essence(change)
            yield change


def _change(found: Properties, server: str) -> TaskChanged | MachineChanged:
    if found.kind == "Task":
        return TaskChanged(task_from(found, server=server))
    return MachineChanged(
        found.moid,
        found.get("guest.ipAddress", ""),
        found.get("runtime.powerState", "poweredOff"),
        found.get("name", ""),
        found.get("config.hardware.numCPU", 0),
        found.get("config.hardware.memoryMB", 0),
    )


def _essence(change: Change) -> Hashable:
    """What makes two reports of one object different; errors do not compare."""
    if isinstance(change, TaskChanged):
        return change.task.state, change.task.progress, change.task.result_moid
    return change
