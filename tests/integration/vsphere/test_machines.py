from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from palette_portal.vsphere import machines
from palette_portal.vsphere.errors import (
    DatastoreFull,
    InvalidState,
    NameTaken,
    NoPermission,
    NotFound,
    TemplateNotFound,
    Unreachable,
)
from palette_portal.vsphere.inventory import Inventory
from palette_portal.vsphere.machines import CloneSpec, VirtualMachine, acting
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.tasks import read_task
from palette_portal.vsphere.vmomi import vim
from tests.integration.vsphere.conftest import TEMPLATE, finish, named
from tests.lab.vcsim import Lab

MakeSpec = Callable[..., CloneSpec]


def clone(vcenter: VCenter, template: VirtualMachine, spec: CloneSpec) -> VirtualMachine:
    task = finish(vcenter, machines.start_clone(vcenter, template.moid, spec))
    assert task.error is None
    return machines.read_machine(vcenter, task.result_moid)


def test_clone_is_as_wanted(
    vcenter: VCenter, inventory: Inventory, template: VirtualMachine, make_spec: MakeSpec
) -> None:
    spec = make_spec()

    machine = clone(vcenter, template, spec)

    assert machines.differences(machine, spec) == ()
    assert (machine.name, machine.instance_uuid) == (spec.name, spec.instance_uuid)
    assert (machine.folder_moid, machine.power_state) == (spec.folder_moid, "poweredOff")
    assert machine.bios_uuid not in ("", template.bios_uuid)
    assert machine.host_name.startswith("esx-1")
    assert machine.disks[0].datastore_moid == spec.datastore_moid
    assert not machine.is_template


@pytest.mark.parametrize(
    "networks", [("management",), ("k8s-nodes", "management"), ("k8s-nodes", "k8s-nodes")]
)
def test_clone_has_the_chosen_networks(
    vcenter: VCenter,
    inventory: Inventory,
    template: VirtualMachine,
    make_spec: MakeSpec,
    networks: tuple[str, ...],
) -> None:
    moids = tuple(named(inventory.networks, name).moid for name in networks)

    machine = clone(vcenter, template, make_spec(network_moids=moids))

    assert tuple(nic.network_moid for nic in machine.nics) == moids
    assert len({nic.mac_address for nic in machine.nics}) == len(moids)


def test_clone_leaves_the_template_as_it_was(
    vcenter: VCenter, template: VirtualMachine, make_spec: MakeSpec
) -> None:
    clone(vcenter, template, make_spec())

    assert machines.read_machine(vcenter, template.moid) == template


def test_machine_that_differs_is_reconfigured(
    vcenter: VCenter, inventory: Inventory, machine: VirtualMachine, make_spec: MakeSpec
) -> None:
    want = make_spec(
        name=machine.name,
        instance_uuid=machine.instance_uuid,
        num_cpus=8,
        memory_mib=16384,
        disk_gib=80,
        annotation="changed",
        network_moids=(named(inventory.networks, "management").moid,),
        extra_config={"guestinfo.metadata": "bWV0YQ=="},
    )
    finish(vcenter, machines.start_reconfigure(vcenter, machine.moid, want, machine))

    changed = machines.read_machine(vcenter, machine.moid)

    assert machines.differences(changed, want) == ()
    assert changed.extra_config["guestinfo.userdata"] == machine.extra_config["guestinfo.userdata"]


def test_machine_as_wanted_is_not_reconfigured(
    vcenter: VCenter, template: VirtualMachine, make_spec: MakeSpec
) -> None:
    spec = make_spec()
    machine = clone(vcenter, template, spec)

    assert machines.start_reconfigure(vcenter, machine.moid, spec, machine) is None


def test_extra_config_is_set_and_blanked(vcenter: VCenter, machine: VirtualMachine) -> None:
    finish(vcenter, machines.set_extra_config(vcenter, machine.moid, {"guestinfo.metadata": "bWV0YQ=="}))
    assert machines.read_machine(vcenter, machine.moid).extra_config["guestinfo.metadata"] == "bWV0YQ=="

    finish(vcenter, machines.set_extra_config(vcenter, machine.moid, {"guestinfo.userdata": ""}))
    assert not machines.read_machine(vcenter, machine.moid).extra_config.get("guestinfo.userdata")


def test_machine_is_found_by_our_uuid(vcenter: VCenter, machine: VirtualMachine) -> None:
    assert machines.find_by_instance_uuid(vcenter, machine.instance_uuid) == machine
    assert machines.find_by_bios_uuid(vcenter, machine.bios_uuid) == machine
    assert machines.find_by_instance_uuid(vcenter, str(uuid4())) is None


def test_our_machine_is_found_before_it_is_cloned_again(
    vcenter: VCenter, machine: VirtualMachine, make_spec: MakeSpec
) -> None:
    spec = make_spec(name=machine.name, instance_uuid=machine.instance_uuid)

    assert machines.find_machine(vcenter, spec) == machine


def test_foreign_machine_of_our_name_is_never_adopted(
    vcenter: VCenter, machine: VirtualMachine, make_spec: MakeSpec
) -> None:
    with pytest.raises(NameTaken, match=machine.name):
        machines.find_machine(vcenter, make_spec(name=machine.name))


def test_machine_of_our_name_in_another_folder_is_no_obstacle(
    vcenter: VCenter, inventory: Inventory, machine: VirtualMachine, make_spec: MakeSpec
) -> None:
    other = named(inventory.folders, "infrastructure").moid

    assert machines.find_machine(vcenter, make_spec(name=machine.name, folder_moid=other)) is None


def test_folder_of_our_name_is_not_a_machine(vcenter: VCenter, inventory: Inventory) -> None:
    parent = named(inventory.folders, "palette-clusters").moid

    assert machines.find_in_folder(vcenter, parent, "team-a") is None


def test_clone_with_a_taken_name_ends_with_name_taken(
    vcenter: VCenter, template: VirtualMachine, machine: VirtualMachine, make_spec: MakeSpec
) -> None:
    task = finish(vcenter, machines.start_clone(vcenter, template.moid, make_spec(name=machine.name)))

    assert isinstance(task.error, NameTaken)


def test_template_that_is_missing_lists_what_is_there(vcenter: VCenter, inventory: Inventory) -> None:
    with pytest.raises(TemplateNotFound, match=TEMPLATE):
        machines.find_template(vcenter, inventory.datacenters[0].moid, "spectro-templates", "missing")


def test_template_folder_that_is_missing_is_told(vcenter: VCenter, inventory: Inventory) -> None:
    with pytest.raises(TemplateNotFound, match="no folder “missing”"):
        machines.find_template(vcenter, inventory.datacenters[0].moid, "missing", TEMPLATE)


def test_machine_is_not_taken_for_a_template(
    vcenter: VCenter, inventory: Inventory, machine: VirtualMachine
) -> None:
    with pytest.raises(TemplateNotFound, match="not a template"):
        machines.find_template(vcenter, inventory.datacenters[0].moid, "palette-gateways", machine.name)


def test_power_on_and_off_and_again(vcenter: VCenter, machine: VirtualMachine) -> None:
    finish(vcenter, machines.start_power_on(vcenter, machine.moid))
    assert machines.read_machine(vcenter, machine.moid).is_on
    assert machines.start_power_on(vcenter, machine.moid) is None

    finish(vcenter, machines.start_power_off(vcenter, machine.moid))
    assert not machines.read_machine(vcenter, machine.moid).is_on
    assert machines.start_power_off(vcenter, machine.moid) is None


def test_second_power_on_that_was_too_late_counts_as_success(
    vcenter: VCenter, machine: VirtualMachine
) -> None:
    first = machines.start_power_on(vcenter, machine.moid)
    second = machines.start_power_on(vcenter, machine.moid)

    assert finish(vcenter, first).state == "success"
    assert second is None or finish(vcenter, second).state == "success"


def test_power_on_while_somebody_else_did_it_counts_as_on(
    lab: Lab, vcenter: VCenter, machine: VirtualMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(vcenter, machines.start_power_on(vcenter, machine.moid))
    seen = iter(["poweredOff", "poweredOn"])
    monkeypatch.setattr(acting, "_power_state", lambda *_arguments: next(seen))
    lab.fail("PowerOnVM_Task", "InvalidPowerState", requestedState="poweredOn", existingState="poweredOn")

    assert machines.start_power_on(vcenter, machine.moid) is None


def test_power_on_that_the_state_does_not_allow_is_told(
    lab: Lab, vcenter: VCenter, machine: VirtualMachine
) -> None:
    lab.fail("PowerOnVM_Task", "InvalidPowerState", requestedState="poweredOn", existingState="suspended")

    with pytest.raises(InvalidState, match="suspended, not poweredOn"):
        machines.start_power_on(vcenter, machine.moid)


def test_guest_address_is_read(lab: Lab, vcenter: VCenter, machine: VirtualMachine) -> None:
    finish(vcenter, machines.start_power_on(vcenter, machine.moid))
    with lab.connect() as administrator:
        administrator.set_options(administrator.machine(machine.name), {"SET.guest.ipAddress": "10.10.1.20"})

    assert machines.read_machine(vcenter, machine.moid).ip_addresses == ("10.10.1.20",)


def test_destroyed_machine_is_gone_by_every_id(vcenter: VCenter, machine: VirtualMachine) -> None:
    ids = {
        "moid": machine.moid,
        "instance_uuid": machine.instance_uuid,
        "bios_uuid": machine.bios_uuid,
    }
    assert not machines.is_gone(vcenter, **ids)

    finish(vcenter, machines.start_destroy(vcenter, machine))

    assert machines.is_gone(vcenter, **ids)
    assert machines.start_destroy(vcenter, machine) is None
    with pytest.raises(NotFound):
        machines.read_machine(vcenter, machine.moid)


def test_running_machine_is_not_destroyed(vcenter: VCenter, machine: VirtualMachine) -> None:
    finish(vcenter, machines.start_power_on(vcenter, machine.moid))

    with pytest.raises(InvalidState, match="powered off"):
        machines.start_destroy(vcenter, machine)


def test_machine_with_another_uuid_is_not_destroyed(vcenter: VCenter, machine: VirtualMachine) -> None:
    with pytest.raises(InvalidState, match="not the machine"):
        machines.start_destroy(vcenter, replace(machine, instance_uuid=str(uuid4())))

    assert machines.find_by_instance_uuid(vcenter, machine.instance_uuid)


def test_volume_attached_later_is_detached_before_the_machine_is_destroyed(
    lab: Lab, vcenter: VCenter, machine: VirtualMachine
) -> None:
    with lab.connect() as administrator:
        attach_volume(administrator, machine.name)
    with_volume = machines.read_machine(vcenter, machine.moid)
    (volume,) = machines.foreign_disks(with_volume)
    assert volume.file_name.endswith("fcd/volume.vmdk")

    with pytest.raises(InvalidState, match=r"fcd/volume\.vmdk"):
        machines.start_destroy(vcenter, with_volume)
    finish(vcenter, machines.start_detach(vcenter, machine.moid, [volume.key]))

    left = machines.read_machine(vcenter, machine.moid)
    assert left.disks == machine.disks
    assert finish(vcenter, machines.start_destroy(vcenter, left)).state == "success"


def attach_volume(administrator, name: str, *, volume: str = "volume") -> None:
    vm = administrator.machine(name)
    disk = next(
        device for device in vm.config.hardware.device if isinstance(device, vim.vm.device.VirtualDisk)
    )
    files = administrator.content.fileManager
    datacenter = administrator.find(vim.Datacenter, "dc-1")
    files.MakeDirectory("[shared-nfs-1] fcd", datacenter, True)
    backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(
        fileName=f"[shared-nfs-1] fcd/{volume}.vmdk", diskMode="independent_persistent"
    )
    volume = vim.vm.device.VirtualDisk(
        key=-1, controllerKey=disk.controllerKey, unitNumber=3, capacityInKB=1024, backing=backing
    )
    change = vim.vm.device.VirtualDeviceSpec(operation="add", fileOperation="create", device=volume)
    administrator.wait(vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[change])))


def test_lost_reply_to_a_clone_leaves_one_machine_that_is_found(
    lab: Lab, vcenter: VCenter, template: VirtualMachine, make_spec: MakeSpec
) -> None:
    spec = make_spec()
    lab.lose_reply("CloneVM_Task", after_work=True)

    with pytest.raises(Unreachable):
        machines.start_clone(vcenter, template.moid, spec)

    found = machines.find_machine(vcenter, spec)
    assert found and found.instance_uuid == spec.instance_uuid
    with lab.connect() as administrator:
        assert administrator.machines().count(spec.name) == 1


def test_missing_privilege_is_told_with_the_name_of_the_object(
    lab: Lab, vcenter: VCenter, template: VirtualMachine, make_spec: MakeSpec
) -> None:
    spec = make_spec()
    lab.deny("CloneVM_Task", "VirtualMachine.Inventory.CreateFromExisting", spec.folder_moid, "Folder")

    with pytest.raises(NoPermission) as denied:
        machines.start_clone(vcenter, template.moid, spec)

    assert denied.value.privileges == ("VirtualMachine.Inventory.CreateFromExisting",)
    assert denied.value.object_name == "palette-gateways"


def test_full_datastore_is_told_by_the_task(
    lab: Lab, vcenter: VCenter, template: VirtualMachine, make_spec: MakeSpec
) -> None:
    lab.fill_datastore("shared-nfs-1")

    task = finish(vcenter, machines.start_clone(vcenter, template.moid, make_spec()))

    assert isinstance(task.error, DatastoreFull)
    assert "shared-nfs-1" in task.error.sentence
    assert read_task(vcenter, task.moid).state == "error"
