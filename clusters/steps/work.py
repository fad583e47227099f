"""What every step on vCenter shares: its rows, the account's session, its open vSphere task, its failures.

The cloud account is read again at every attempt, so a corrected password counts at once. A vSphere task is
remembered as "vsphere-task:<account>:<moid>"; clusters.watcher rings that name when the task changes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, overload
from uuid import UUID

from clusters.models import Cluster, Machine
from clusters.states import MACHINE_TRANSITIONS, MachineState, move_machine
from gateways.logins import note_refusal, open_session
from gateways.models import CloudAccount
from palette_portal.bootstrap.errors import BootstrapError
from palette_portal.orchestration.outcomes import Failed, Outcome, Retry, Wait
from palette_portal.orchestration.steps import StepContext
from palette_portal.vsphere.errors import NotFound, VSphereError
from palette_portal.vsphere.machines import VirtualMachine, find_by_instance_uuid
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.tasks import read_task

TASK_REFERENCE = "vsphere-task"
# The watcher rings long before; this is for the case that it is gone.
SAFETY_SECONDS = 10
# Short tasks are over before the watcher has seen them begin.
FIRST_LOOK_SECONDS = 0.1
# A change of a machine's settings is over by then, mostly; coming again would take as long.
MOMENT_SECONDS = 0.06
# Clones run for minutes, many at once: a look at each every few seconds would cost more than it tells.
TASK_SAFETY_SECONDS = 30

StepFunction = Callable[[StepContext], Outcome]


@dataclass(frozen=True)
class Work:
    """One attempt of one step."""

    context: StepContext

    @cached_property
    def cluster(self) -> Cluster:
        if "machine" in self.context.arguments:
            return self.machine.cluster
        rows = Cluster.objects.select_related("cloud_account")
        return rows.get(pk=self.context.subject.id)

    @cached_property
    def machine(self) -> Machine:
        rows = Machine.objects.select_related("pool", "placement", "cluster__cloud_account")
        return rows.get(pk=self.context.arguments["machine"])

    @property
    def account(self) -> CloudAccount:
        account = self.cluster.cloud_account
        assert account is not None  # the database sees to it until the cluster is Deleted
        return account

    @cached_property
    def vcenter(self) -> VCenter:
        return open_session(self.account)

    def find_vm(self) -> VirtualMachine:
        """Our machine in vCenter. Raise NotFound when somebody removed it."""
        vm = find_by_instance_uuid(self.vcenter, str(self.machine.id))
        if vm is None:
            raise NotFound(
                f"The virtual machine {self.machine.name} is not in vCenter any more.",
                "Somebody removed it there. Bring it back, or reset the cluster to build it again.",
            )
        return vm

    def open_task(self, message: str) -> Wait | None:
        """Wait while the task that this step started runs. Raise its error, once, when it failed."""
        kind, _, rest = self.context.external_ref.partition(":")
        if kind != TASK_REFERENCE:
            return None
        return self._look_at(rest.partition(":")[2], message, TASK_SAFETY_SECONDS)

    @overload
    def follow(self, task_moid: str, message: str, *, first_look_seconds: float = ...) -> Wait: ...

    @overload
    def follow(
        self, task_moid: str | None, message: str, *, first_look_seconds: float = ...
    ) -> Wait | None: ...

    def follow(
        self, task_moid: str | None, message: str, *, first_look_seconds: float = FIRST_LOOK_SECONDS
    ) -> Wait | None:
        """Remember a task just started; no task is over at once, so the first look comes later."""
        if task_moid is None:
            return None
        reference = self._reference(task_moid)
        self.context.keep_reference(reference)
        return Wait(first_look_seconds, message, external_ref=reference)

    def follow_quick(self, task_moid: str | None, message: str) -> Wait | None:
        """As `follow`, for tasks that mostly take a moment: waiting here costs less than coming again."""
        if task_moid is None:
            return None
        self.context.keep_reference(self._reference(task_moid))
        time.sleep(MOMENT_SECONDS)
        return self._look_at(task_moid, message, FIRST_LOOK_SECONDS)

    def _look_at(self, task_moid: str, message: str, look_again_seconds: float) -> Wait | None:
        try:
            task = read_task(self.vcenter, task_moid)
        except NotFound:
            return None
        if not task.is_over:
            reference = self._reference(task_moid)
            return Wait(look_again_seconds, message, external_ref=reference, progress=task.progress)
        if task.error is not None:
            self.context.keep_reference("")
            raise task.error
        return None

    def _reference(self, task_moid: str) -> str:
        return task_reference(self.account.pk, task_moid)


def task_reference(account_id: UUID, task_moid: str) -> str:
    return f"{TASK_REFERENCE}:{account_id}:{task_moid}"


def step(function: Callable[[Work], Outcome]) -> StepFunction:
    """Make a step function for the engine: what vCenter refuses becomes a sentence with a hint."""

    @wraps(function)
    def run(context: StepContext) -> Outcome:
        work = Work(context)
        try:
            return function(work)
        except VSphereError as error:
            note_refusal(work.account, error)
            retry = Retry.SOON if error.transient else Retry.SLOWLY
            return Failed(error.reason, error.sentence, error.hint, retry)
        except BootstrapError as error:
            return Failed("InvalidDocuments", str(error), "Correct the cluster's settings.", Retry.SLOWLY)

    return run


def update_machine(machine_id: UUID, state: MachineState | None = None, **facts: Any) -> None:
    """For a step's `write`: note facts, and move the machine unless it already went further."""
    machine = Machine.objects.select_for_update().get(pk=machine_id)
    if state is not None and state in MACHINE_TRANSITIONS[machine.state]:
        move_machine(machine, state, **facts)
    elif facts:
        Machine.objects.filter(pk=machine_id).update(**facts)
