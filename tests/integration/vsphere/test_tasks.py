import threading
from collections.abc import Callable, Iterator
from time import monotonic

import pytest

from palette_portal.vsphere import machines, watcher
from palette_portal.vsphere.errors import Cancelled, NotFound, SessionExpired, VSphereFault
from palette_portal.vsphere.machines import CloneSpec, VirtualMachine
from palette_portal.vsphere.session import Credentials, VCenter
from palette_portal.vsphere.tasks import cancel_task, find_recent_clone, finished_tasks, read_task
from palette_portal.vsphere.watcher import Change, Gone, MachineChanged, TaskChanged, TaskWatcher
from tests.integration.vsphere.conftest import finish
from tests.lab.vcsim import QUICK, Lab

MakeSpec = Callable[..., CloneSpec]


@pytest.fixture
def slow_clones(lab: Lab) -> Iterator[None]:
    lab.set_durations(clone_seconds=30)
    yield
    lab.set_durations(**QUICK)


@pytest.fixture
def watching(credentials: Credentials) -> Iterator[TaskWatcher]:
    with TaskWatcher(credentials) as watching:
        yield watching


def changes_until(watching: TaskWatcher, found: Callable[[Change], bool]) -> list[Change]:
    changes: list[Change] = []
    end = monotonic() + 20
    while monotonic() < end:
        changes += watching.wait(2)
        if any(found(change) for change in changes):
            return changes
    raise AssertionError(f"Not seen within 20 s: {changes}")


def test_watcher_that_cannot_begin_leaves_no_session(
    credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = []

    def refuse(watching: TaskWatcher) -> None:
        sessions.append(watching.vcenter)
        assert watching.vcenter.is_alive()
        raise VSphereFault("vCenter refuses another collector.")

    monkeypatch.setattr(TaskWatcher, "_new_collector", refuse)

    with pytest.raises(VSphereFault):
        TaskWatcher(credentials)

    assert sessions[0].closed


def is_over(task_moid: str) -> Callable[[Change], bool]:
    return lambda change: (
        isinstance(change, TaskChanged) and change.task.moid == task_moid and change.task.is_over
    )


def test_task_gives_its_result(vcenter: VCenter, template: VirtualMachine, make_spec: MakeSpec) -> None:
    spec = make_spec()

    task = finish(vcenter, machines.start_clone(vcenter, template.moid, spec))

    assert (task.state, task.progress, task.error) == ("success", 100, None)
    assert machines.read_machine(vcenter, task.result_moid).instance_uuid == spec.instance_uuid


def test_finished_tasks_are_found_among_running_and_forgotten_ones(
    lab: Lab, vcenter: VCenter, template: VirtualMachine, make_spec: MakeSpec, slow_clones: None
) -> None:
    running = machines.start_clone(vcenter, template.moid, make_spec())
    lab.set_durations(clone_seconds=0.1)
    over = machines.start_clone(vcenter, template.moid, make_spec())
    finish(vcenter, over)

    assert finished_tasks(vcenter, [running, "task-gone", over]) == {over, "task-gone"}
    assert finished_tasks(vcenter, []) == set()


def test_task_that_failed_gives_our_error(
    lab: Lab, vcenter: VCenter, template: VirtualMachine, make_spec: MakeSpec
) -> None:
    lab.fail("CloneVM_Task", "SystemError", at="task", message="disk on fire")

    task = finish(vcenter, machines.start_clone(vcenter, template.moid, make_spec()))

    assert isinstance(task.error, VSphereFault)
    assert task.error.reason == "SystemError"


def test_task_that_vcenter_has_forgotten_is_not_found(vcenter: VCenter) -> None:
    with pytest.raises(NotFound):
        read_task(vcenter, "task-999999")


@pytest.mark.usefixtures("slow_clones")
def test_running_clone_is_found_by_the_name_of_the_new_machine(
    vcenter: VCenter, template: VirtualMachine, make_spec: MakeSpec
) -> None:
    spec, sibling = make_spec(), make_spec()
    for _ in range(12):
        cancel_task(vcenter, machines.start_clone(vcenter, template.moid, make_spec()))
    task_moid = machines.start_clone(vcenter, template.moid, spec)
    sibling_task = machines.start_clone(vcenter, template.moid, sibling)

    before = vcenter.round_trips
    found = find_recent_clone(vcenter, template.moid, spec.name)

    assert vcenter.round_trips - before <= 3
    assert found and found.task.moid == task_moid
    assert not found.task.is_over
    assert find_recent_clone(vcenter, template.moid, "never-cloned") is None
    assert cancel_task(vcenter, task_moid)
    assert cancel_task(vcenter, sibling_task)
    finish(vcenter, task_moid)


@pytest.mark.usefixtures("slow_clones")
def test_cancelled_clone_leaves_no_machine(
    vcenter: VCenter, template: VirtualMachine, make_spec: MakeSpec
) -> None:
    spec = make_spec()
    task_moid = machines.start_clone(vcenter, template.moid, spec)

    assert cancel_task(vcenter, task_moid)

    assert isinstance(finish(vcenter, task_moid).error, Cancelled)
    assert machines.find_machine(vcenter, spec) is None
    assert not cancel_task(vcenter, task_moid)


def test_watcher_reports_many_tasks_each_to_its_end(
    vcenter: VCenter,
    watching: TaskWatcher,
    template: VirtualMachine,
    make_spec: MakeSpec,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watcher, "PER_FILTER", 2)
    moids = [machines.start_clone(vcenter, template.moid, make_spec()) for _ in range(5)]
    changes = watching.watch(moids)

    while not all(any(is_over(moid)(change) for change in changes) for moid in moids):
        changes += watching.wait(5)

    ends = [change.task for change in changes if isinstance(change, TaskChanged) and change.task.is_over]
    assert sorted(task.moid for task in ends) == sorted(moids)
    assert {task.state for task in ends} == {"success"}


def test_watcher_costs_one_waiting_call_for_all(
    lab: Lab, vcenter: VCenter, watching: TaskWatcher, template: VirtualMachine, make_spec: MakeSpec
) -> None:
    moids = [machines.start_clone(vcenter, template.moid, make_spec()) for _ in range(3)]
    watching.watch(moids)
    before = watching.vcenter.round_trips

    changes_until(watching, is_over(moids[-1]))
    calls = watching.vcenter.round_trips - before
    watching.wait(0)

    assert calls < 30
    assert lab.calls().get("WaitForUpdatesEx", 0) >= calls


def test_watcher_tells_the_state_of_a_task_that_is_over_already(
    vcenter: VCenter, watching: TaskWatcher, template: VirtualMachine, make_spec: MakeSpec
) -> None:
    task = finish(vcenter, machines.start_clone(vcenter, template.moid, make_spec()))

    assert watching.watch([task.moid]) == [TaskChanged(task)]


def test_watcher_tells_each_state_once(
    vcenter: VCenter, watching: TaskWatcher, template: VirtualMachine, make_spec: MakeSpec
) -> None:
    task = finish(vcenter, machines.start_clone(vcenter, template.moid, make_spec()))
    watching.watch([task.moid])

    assert watching.wait(1) == []
    assert watching.watch([task.moid]) == []


def test_watcher_takes_tasks_that_come_later(
    vcenter: VCenter, watching: TaskWatcher, template: VirtualMachine, make_spec: MakeSpec
) -> None:
    first = machines.start_clone(vcenter, template.moid, make_spec())
    watching.watch([first])
    changes_until(watching, is_over(first))
    second = machines.start_clone(vcenter, template.moid, make_spec())

    watching.watch([second])

    changes = changes_until(watching, is_over(second))
    assert {change.task.moid for change in changes if isinstance(change, TaskChanged)} == {second}


def seen(machine: VirtualMachine, address: str, power_state: str) -> MachineChanged:
    return MachineChanged(
        machine.moid, address, power_state, machine.name, machine.num_cpus, machine.memory_mib
    )


def test_watcher_tells_what_is_gone_and_goes_on(
    vcenter: VCenter, watching: TaskWatcher, machine: VirtualMachine, make_spec: MakeSpec, template
) -> None:
    gone, off = watching.watch(["task-999999"], [machine.moid])
    assert gone == Gone("task-999999")
    assert off == seen(machine, "", "poweredOff")

    finish(vcenter, machines.start_destroy(vcenter, machine))
    changes_until(watching, lambda change: change == Gone(machine.moid))

    task_moid = machines.start_clone(vcenter, template.moid, make_spec())
    watching.watch([task_moid])
    changes_until(watching, is_over(task_moid))


def test_watcher_sees_the_guest_get_its_address(
    lab: Lab, vcenter: VCenter, watching: TaskWatcher, machine: VirtualMachine
) -> None:
    watching.watch([], [machine.moid])
    machines.start_power_on(vcenter, machine.moid)
    changes_until(watching, lambda change: change == seen(machine, "", "poweredOn"))

    with lab.connect() as administrator:
        administrator.set_options(administrator.machine(machine.name), {"SET.guest.ipAddress": "10.10.1.20"})

    changes_until(watching, lambda change: change == seen(machine, "10.10.1.20", "poweredOn"))


def test_watcher_says_that_its_session_has_ended(lab: Lab, watching: TaskWatcher) -> None:
    watching.wait(0)
    lab.expire_sessions()

    with pytest.raises(SessionExpired):
        watching.watch(["task-1"])


def test_watcher_runs_until_it_is_told_to_stop(
    vcenter: VCenter, watching: TaskWatcher, template: VirtualMachine, make_spec: MakeSpec
) -> None:
    task_moid = machines.start_clone(vcenter, template.moid, make_spec())
    stop = threading.Event()
    seen: list[Change] = []

    def note(change: Change) -> None:
        seen.append(change)
        if is_over(task_moid)(change):
            stop.set()

    watching.run(lambda: ([task_moid], []), note, stop)

    assert is_over(task_moid)(seen[-1])
