"""vSphere tasks: what became of one, and finding one whose id was lost between starting and storing it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from palette_portal.vsphere.errors import VSphereError
from palette_portal.vsphere.faults import translate
from palette_portal.vsphere.properties import Properties, Traversal, collect, moid_of, read_many, read_one
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.vmomi import vim

TaskState = Literal["queued", "running", "success", "error"]

TASK_PATHS = ("info.state", "info.progress", "info.error", "info.result")
RECENT_PATHS = (*TASK_PATHS, "info.entity", "info.descriptionId", "info.eventChainId", "info.queueTime")
MOST_EVENTS = 1000  # servers that cannot filter by chain answer with a page of all clones
CLONE_DESCRIPTIONS = {"VirtualMachine.clone", "VirtualMachine.cloneVm"}


@dataclass(frozen=True)
class VSphereTask:
    moid: str
    state: TaskState
    progress: int
    error: VSphereError | None
    result_moid: str

    @property
    def is_over(self) -> bool:
        return self.state in ("success", "error")


@dataclass(frozen=True)
class RecentClone:
    """A clone task that vCenter lists among the recent ones."""

    task: VSphereTask
    queued_at: datetime


def read_task(vcenter: VCenter, task_moid: str) -> VSphereTask:
    """NotFound when vCenter has forgotten the task: look at what it was to make instead."""
    return task_from(read_one(vcenter, "Task", task_moid, TASK_PATHS), server=vcenter.server)


def finished_tasks(vcenter: VCenter, task_moids: Sequence[str]) -> set[str]:
    """Those that are over or forgotten."""
    found = read_many(vcenter, "Task", task_moids, TASK_PATHS) if task_moids else {}
    return {
        moid for moid, task in found.items() if task is None or task_from(task, server=vcenter.server).is_over
    }


def task_from(found: Properties, *, server: str) -> VSphereTask:
    state: TaskState = found.get("info.state", "queued")
    fault = found.get("info.error")
    if state == "error" and is_already_so(fault):
        state, fault = "success", None
    return VSphereTask(
        moid=found.moid,
        state=state,
        progress=100 if state == "success" else found.get("info.progress", 0),
        error=_error(fault, server) if state == "error" else None,
        result_moid=_result_moid(found.get("info.result")),
    )


def is_already_so(fault: Any) -> bool:
    """A power task on a machine that already is in the state asked for."""
    return isinstance(fault, vim.fault.InvalidPowerState) and fault.existingState == fault.requestedState


def cancel_task(vcenter: VCenter, task_moid: str) -> bool:
    """Ask vCenter to cancel; False when the task is over, gone or cannot be cancelled."""
    try:
        vcenter.managed("Task", task_moid).CancelTask()
    except VSphereError:
        return False
    return True


def find_recent_clone(vcenter: VCenter, template_moid: str, name: str) -> RecentClone | None:
    """The clone of this template into a machine of this name that is still under way, if there is one.

    A task does not say the new machine's name; the event that vCenter wrote when it began does.
    """
    for found in sorted(_clones_of(vcenter, template_moid), key=_queued_at, reverse=True):
        task = task_from(found, server=vcenter.server)
        chain = found.get("info.eventChainId", 0)
        if not task.is_over and chain and name in _clone_names(vcenter, chain):
            return RecentClone(task, _queued_at(found))
    return None


def _clones_of(vcenter: VCenter, template_moid: str) -> list[Properties]:
    template = vcenter.managed("VirtualMachine", template_moid)
    starts = [vcenter.content.taskManager, template]
    recent = [Traversal("TaskManager", "recentTask"), Traversal("VirtualMachine", "recentTask")]
    return [
        found
        for found in collect(vcenter, starts, {"Task": RECENT_PATHS}, recent)
        if found.get("info.descriptionId") in CLONE_DESCRIPTIONS
        and found.moid_at("info.entity") == template_moid
    ]


def _clone_names(vcenter: VCenter, chain: int) -> set[str]:
    criteria = vim.event.EventFilterSpec(
        eventChainId=chain, eventTypeId=["VmBeingClonedEvent"], maxCount=MOST_EVENTS
    )
    events = vcenter.content.eventManager.QueryEvents(criteria)
    return {event.destName for event in events if event.chainId == chain}


def _queued_at(found: Properties) -> datetime:
    queued_at: datetime = found.values["info.queueTime"]
    return queued_at


def _error(fault: Any, server: str) -> VSphereError:
    if fault is None:
        return VSphereError("The vSphere task failed without a reason.")
    return translate(fault, server=server)


def _result_moid(result: Any) -> str:
    return moid_of(result) if isinstance(result, vim.ManagedEntity) else ""
