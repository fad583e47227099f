from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from tests.lab.api import VSphere
from tests.lab.vcsim import Lab

TEMPLATE = "r_u-2204-0-k-1312-0"
GIB = 1 << 30


def updates_until_done(vcenter: VSphere, task: Any) -> list[dict[str, Any]]:
    """What a client sees that waits for changes of the task, as property changes in order."""
    query = vmodl.query.PropertyCollector
    collector = vcenter.content.propertyCollector.CreatePropertyCollector()
    paths = query.PropertySpec(type=vim.Task, pathSet=["info.state", "info.progress"])
    collector.CreateFilter(query.FilterSpec(objectSet=[query.ObjectSpec(obj=task)], propSet=[paths]), True)
    seen: list[dict[str, Any]] = []
    version = ""
    while not any(change.get("info.state") in ("success", "error") for change in seen):
        update = collector.WaitForUpdatesEx(version, query.WaitOptions(maxWaitSeconds=10))
        version = update.version
        changed = [item for filtered in update.filterSet for item in filtered.objectSet]
        seen += [{change.name: change.val for change in item.changeSet} for item in changed]
    collector.DestroyPropertyCollector()
    return seen


def wanted_hardware(vcenter: VSphere) -> Any:
    devices = vcenter.machine(TEMPLATE).config.hardware.device
    disk = next(device for device in devices if isinstance(device, vim.vm.device.VirtualDisk))
    card = next(device for device in devices if isinstance(device, vim.vm.device.VirtualEthernetCard))
    disk.capacityInKB = disk.capacityInBytes = 0
    disk.capacityInKB = 60 * GIB // 1024
    card.backing = vim.vm.device.VirtualEthernetCard.NetworkBackingInfo(deviceName="management")
    change = vim.vm.device.VirtualDeviceSpec
    return vim.vm.ConfigSpec(
        numCPUs=4,
        memoryMB=8192,
        annotation="made by a test",
        instanceUuid="7d3b7e9e-0000-4000-8000-00000000c10e",
        extraConfig=[vim.option.OptionValue(key="guestinfo.x", value="1")],
        deviceChange=[change(operation="edit", device=disk), change(operation="edit", device=card)],
    )


def test_clone_runs_on_its_own_with_progress(lab: Lab, vcenter: VSphere) -> None:
    lab.set_durations(clone_seconds=0.6)

    seen = updates_until_done(vcenter, vcenter.clone(TEMPLATE, "one"))

    states = [change["info.state"] for change in seen if "info.state" in change]
    progress = [change["info.progress"] for change in seen if change.get("info.progress")]
    assert [state for i, state in enumerate(states) if i == 0 or state != states[i - 1]][-2:] == [
        "running",
        "success",
    ]
    assert len(progress) >= 3
    assert progress == sorted(progress)
    assert "one" in vcenter.machines()


def test_running_clone_is_among_the_recent_tasks(lab: Lab, vcenter: VSphere) -> None:
    lab.set_durations(clone_seconds=0.5)

    task = vcenter.clone(TEMPLATE, "one")

    assert vcenter.content.taskManager.recentTask[-1] == task
    assert task.info.entity == vcenter.machine(TEMPLATE)
    vcenter.wait(task)
    assert vcenter.content.taskManager.recentTask[-1] == task


def test_clone_applies_what_a_real_vcenter_applies(vcenter: VSphere) -> None:
    vm = vcenter.wait(vcenter.clone(TEMPLATE, "one", cluster="cluster-2", config=wanted_hardware(vcenter)))

    config = vm.config
    disk = next(device for device in config.hardware.device if isinstance(device, vim.vm.device.VirtualDisk))
    assert (config.hardware.numCPU, config.hardware.memoryMB) == (4, 8192)
    assert (config.annotation, config.instanceUuid) == (
        "made by a test",
        "7d3b7e9e-0000-4000-8000-00000000c10e",
    )
    assert {option.key: option.value for option in config.extraConfig} == {"guestinfo.x": "1"}
    assert disk.capacityInKB == 60 * GIB // 1024
    assert [network.name for network in vm.network] == ["management"]
    assert vm.runtime.host.name.startswith("esx-2")


def test_clone_leaves_the_template_alone(vcenter: VSphere) -> None:
    before = repr(vcenter.machine(TEMPLATE).config.hardware)

    vcenter.wait(vcenter.clone(TEMPLATE, "one", config=wanted_hardware(vcenter)))

    assert repr(vcenter.machine(TEMPLATE).config.hardware) == before


def test_second_machine_with_a_name_is_refused(vcenter: VSphere) -> None:
    first, second = vcenter.clone(TEMPLATE, "one"), vcenter.clone(TEMPLATE, "one")

    faults = []
    for task in (first, second):
        try:
            vcenter.wait(task)
        except vim.fault.DuplicateName as fault:
            faults.append(fault.name)

    assert faults == ["one"]
    assert vcenter.machines().count("one") == 1


def test_same_name_in_another_folder_is_taken(vcenter: VSphere) -> None:
    vcenter.wait(vcenter.clone(TEMPLATE, "one"))
    vcenter.wait(vcenter.clone(TEMPLATE, "one", folder="palette-clusters"))

    assert vcenter.machines().count("one") == 2


def test_clone_onto_a_datastore_without_space_fails(vcenter: VSphere) -> None:
    with pytest.raises(vim.fault.NoDiskSpace) as failed:
        vcenter.wait(vcenter.clone(TEMPLATE, "one", datastore="cluster-1-scratch"))

    assert failed.value.datastore == "cluster-1-scratch"
    assert "one" not in vcenter.machines()


def test_clone_onto_a_datastore_of_another_cluster_fails(vcenter: VSphere) -> None:
    with pytest.raises(vim.fault.InvalidDatastorePath):
        vcenter.wait(vcenter.clone(TEMPLATE, "one", datastore="cluster-2-vmfs", cluster="cluster-1"))


def test_cancelled_clone_makes_nothing(lab: Lab, vcenter: VSphere) -> None:
    lab.set_durations(clone_seconds=20)
    task = vcenter.clone(TEMPLATE, "one")

    task.CancelTask()

    with pytest.raises(vmodl.fault.RequestCanceled):
        vcenter.wait(task)
    assert "one" not in vcenter.machines()


def test_reconfigure_replaces_and_removes_options(vcenter: VSphere) -> None:
    vm = vcenter.create_machine("one")

    vcenter.set_options(vm, {"guestinfo.a": "1", "guestinfo.b": "2"})
    vcenter.set_options(vm, {"guestinfo.a": "3", "guestinfo.b": ""})

    assert {option.key: option.value for option in vm.config.extraConfig} == {"guestinfo.a": "3"}


def test_destroyed_machine_gives_its_space_back(vcenter: VSphere) -> None:
    datastore = vcenter.find(vim.Datastore, "shared-nfs-1")
    before = datastore.summary.freeSpace
    vm = vcenter.create_machine("one", power_on=True)
    assert datastore.summary.freeSpace < before

    with pytest.raises(vim.fault.InvalidPowerState):
        vcenter.wait(vm.Destroy_Task())
    vcenter.wait(vm.PowerOffVM_Task())
    vcenter.wait(vm.Destroy_Task())

    assert datastore.summary.freeSpace == before
    assert "one" not in vcenter.machines()


def test_every_session_hears_of_its_tasks(lab: Lab) -> None:
    names = [f"session-{number}" for number in range(8)]

    with ThreadPoolExecutor(len(names)) as pool:
        made = list(pool.map(lambda name: make_and_remove(lab, name), names))

    assert made == names


def make_and_remove(lab: Lab, name: str) -> str:
    with lab.connect() as session:
        vm = session.wait(session.clone(TEMPLATE, name))
        session.wait(vm.PowerOnVM_Task())
        made = str(session.read(vm, "name")["name"])
        session.remove([vm._GetMoId()])
    return made
