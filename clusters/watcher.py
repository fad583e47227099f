"""Tells waiting steps at once when their vSphere task or guest has changed, and people what changed by hand.

One session and one waiting call per vCenter, only while steps wait for it or machines should run there. If
this dies nothing is lost: every wait ends by itself after some seconds, and the step looks for itself.
"""

import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from django.db import DatabaseError, close_old_connections, connection, transaction

from clusters.expected import (
    accounts_with_running_machines,
    expected_machines,
    look_for_missing,
    note_changed,
    note_gone,
)
from clusters.models import Machine
from clusters.steps.work import TASK_REFERENCE, task_reference
from gateways.logins import check_login, note_refusal
from gateways.models import CloudAccount
from palette_portal.orchestration.actions import note_progress, ring
from palette_portal.orchestration.models import Step, StepState
from palette_portal.vsphere.errors import CertificateNotTrusted, LoginRefused, VSphereError
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.tasks import finished_tasks
from palette_portal.vsphere.watcher import Change, Gone, MachineChanged, TaskChanged, TaskWatcher

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.3
# How soon a machine that has begun to run is watched, and one that was missing is found again.
EXPECT_SECONDS = 10
# Not every server reports every change by itself.
SWEEP_SECONDS = 30
IDLE_SECONDS = 60
# How often the progress of one task is told.
PROGRESS_SECONDS = 0.5
# A server with many changes to report may be late with its answer: then the tasks themselves are asked for.
LATE_SECONDS = 2
TRY_AGAIN_SECONDS = 5
# gateways.logins sees to it that a refused login is not tried often.
REFUSED_SECONDS = 30
MACHINE_REFERENCE = "machine"


@dataclass
class Wanted:
    """What steps wait for at one vCenter; machines by their id there."""

    tasks: set[str] = field(default_factory=set)
    machines: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tasks or self.machines)


def watch(stop: threading.Event) -> None:
    """Keep a thread for every cloud account that steps wait for, until told to stop."""
    threads: dict[UUID, threading.Thread] = {}
    expecting, asked_at = set[UUID](), -math.inf
    while not stop.wait(LOOK_SECONDS):
        close_old_connections()
        if time.monotonic() - asked_at > EXPECT_SECONDS:
            expecting, asked_at = accounts_with_running_machines(), time.monotonic()
        for account_id in wanted_by_account().keys() | expecting:
            if account_id not in threads or not threads[account_id].is_alive():
                threads[account_id] = _start(account_id, stop)
    for thread in threads.values():
        thread.join()


def wanted_by_account() -> Mapping[UUID, Wanted]:
    found: dict[UUID, Wanted] = defaultdict(Wanted)
    machine_ids = set()
    for reference in _references():
        kind, _, rest = reference.partition(":")
        if kind == TASK_REFERENCE:
            account_id, _, moid = rest.partition(":")
            found[UUID(account_id)].tasks.add(moid)
        elif kind == MACHINE_REFERENCE:
            machine_ids.add(UUID(rest))
    machines = Machine.objects.filter(pk__in=machine_ids).exclude(moid="").select_related("cluster")
    for machine in machines:
        if machine.cluster.cloud_account_id:
            found[machine.cluster.cloud_account_id].machines[machine.moid] = machine.wake_reference
    return found


def _references() -> list[str]:
    """A step that has started a task and not yet returned counts as well."""
    steps = Step.objects.filter(state__in=[StepState.WAITING, StepState.RUNNING]).exclude(external_ref="")
    return list(steps.values_list("external_ref", flat=True))


def _start(account_id: UUID, stop: threading.Event) -> threading.Thread:
    account = AccountWatch(account_id, stop)
    thread = threading.Thread(target=account.run, name=f"vcenter-{account_id}", daemon=True)
    thread.start()
    return thread


class AccountWatch:
    """Watches one vCenter; ends when for a minute no step has waited and no machine should run there."""

    def __init__(self, account_id: UUID, stop: threading.Event) -> None:
        self.account_id = account_id
        self.stop = stop
        self.ended = threading.Event()
        self.machines: dict[str, str] = {}
        self.answered_at = time.monotonic()
        self.told_at: dict[str, float] = {}
        self.expected: Mapping[str, UUID] = {}
        self.expected_at = -math.inf
        self.swept_at = time.monotonic()
        self.busy_at = time.monotonic()

    def run(self) -> None:
        try:
            self._watch()
        except VSphereError as error:
            logger.info("Watching the vCenter of account %s: %s", self.account_id, error.sentence)
            self._rest(error)
        except Exception:
            logger.exception("Watching the vCenter of account %s ended with an error", self.account_id)
            self.stop.wait(TRY_AGAIN_SECONDS)
        finally:
            connection.close()

    def _rest(self, error: VSphereError) -> None:
        """Until a login that was refused is corrected, but not for ever."""
        can_be_corrected = isinstance(error, LoginRefused | CertificateNotTrusted)
        for _ in range(TRY_AGAIN_SECONDS if error.transient else REFUSED_SECONDS):
            if self.stop.wait(1) or (can_be_corrected and not self._is_refused()):
                return

    def _is_refused(self) -> bool:
        close_old_connections()
        return CloudAccount.objects.filter(pk=self.account_id, refused_at__isnull=False).exists()

    def _watch(self) -> None:
        account = CloudAccount.objects.get(pk=self.account_id)
        try:
            check_login(account)
            with TaskWatcher(account.credentials()) as watcher, self._asking_while_late(watcher.vcenter):
                tell = partial(self._tell, watcher.vcenter)
                watcher.run(partial(self._wanted, watcher, tell), tell, self.ended)
        except VSphereError as error:
            note_refusal(account, error)
            raise

    @contextmanager
    def _asking_while_late(self, vcenter: VCenter) -> Iterator[None]:
        name = f"{threading.current_thread().name}-late"
        thread = threading.Thread(target=self._ask_while_late, args=[vcenter], name=name, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.ended.set()
            thread.join(LATE_SECONDS)

    def _ask_while_late(self, vcenter: VCenter) -> None:
        rung = set[str]()
        try:
            while not self.ended.wait(LATE_SECONDS):
                if time.monotonic() - self.answered_at > LATE_SECONDS:
                    rung = self._ring_finished(vcenter, rung)
        finally:
            connection.close()

    def _ring_finished(self, vcenter: VCenter, rung: set[str]) -> set[str]:
        """Each task once, because who is rung again goes to the end of the line. Gives those rung by now."""
        close_old_connections()
        try:
            wanted = wanted_by_account().get(self.account_id, Wanted()).tasks
            finished = finished_tasks(vcenter, sorted(wanted - rung))
            for moid in sorted(finished):
                ring(task_reference(self.account_id, moid))
        except (VSphereError, DatabaseError) as error:  # the waiting call meets it as well, and begins anew
            logger.info("Asking for the tasks of account %s: %s", self.account_id, error)
            return rung
        return rung & wanted | finished

    def _wanted(self, watcher: TaskWatcher, tell: Callable[[Change], None]) -> tuple[set[str], set[str]]:
        close_old_connections()
        wanted = wanted_by_account().get(self.account_id, Wanted())
        now = self.answered_at = time.monotonic()
        self._expect(watcher, tell, now)
        self.busy_at = now if wanted or self.expected else self.busy_at
        if self.stop.is_set() or now - self.busy_at > IDLE_SECONDS:
            self.ended.set()
        self.machines = wanted.machines
        return wanted.tasks, wanted.machines.keys() | self.expected.keys()

    def _expect(self, watcher: TaskWatcher, tell: Callable[[Change], None], now: float) -> None:
        if now - self.expected_at > EXPECT_SECONDS:
            look_for_missing(watcher.vcenter, self.account_id)
            self.expected, self.expected_at = expected_machines(self.account_id), now
        if self.expected and now - self.swept_at > SWEEP_SECONDS:
            self.swept_at = now
            for change in watcher.look_again():
                tell(change)

    def _tell(self, vcenter: VCenter, change: Change) -> None:
        self._observe(vcenter, change)
        for announcement in self._announcements(change):
            with transaction.atomic():
                announcement()

    def _observe(self, vcenter: VCenter, change: Change) -> None:
        match change:
            case MachineChanged(moid=moid) if moid in self.expected:
                note_changed(self.expected[moid], change)
            case Gone(moid=moid) if moid in self.expected:
                note_gone(vcenter, self.expected[moid])

    def _announcements(self, change: Change) -> list[Callable[[], object]]:
        match change:
            case TaskChanged(task=task) if not task.is_over:
                reference = task_reference(self.account_id, task.moid)
                news = self._is_news(task.moid)
                return [lambda: note_progress(reference, task.progress)] if news else []
            case TaskChanged(task=task):
                self.told_at.pop(task.moid, None)
                return [lambda: ring(task_reference(self.account_id, task.moid))]
            case MachineChanged(moid=moid):
                return self._ring_machine(moid)
            case Gone(moid=moid):
                return [lambda: ring(task_reference(self.account_id, moid)), *self._ring_machine(moid)]

    def _is_news(self, task_moid: str) -> bool:
        """Many tasks that each count to a hundred would keep the database busy with nothing else."""
        now = time.monotonic()
        if now - self.told_at.get(task_moid, -math.inf) < PROGRESS_SECONDS:
            return False
        self.told_at[task_moid] = now
        return True

    def _ring_machine(self, moid: str) -> list[Callable[[], object]]:
        reference = self.machines.get(moid)
        return [lambda: ring(reference)] if reference else []
