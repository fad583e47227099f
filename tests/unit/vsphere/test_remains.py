"""Whose machine it is decides whether it may be destroyed."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from palette_portal.vsphere.errors import HostUnavailable, NotFound
from palette_portal.vsphere.machines import Identity, VirtualMachine, find_remains, is_ours, remains

MARKS = {"palette.cluster": "c-1", "palette.machine": "m-1"}
OURS = Identity(
    name="dc-east-cp-1",
    instance_uuid="uuid-1",
    bios_uuid="bios-1",
    moid="vm-1",
    folder_moid="group-v1",
    marks=MARKS,
)
VM = VirtualMachine(
    moid="vm-1",
    name="dc-east-cp-1",
    instance_uuid="uuid-1",
    bios_uuid="bios-1",
    power_state="poweredOff",
    connection_state="connected",
    num_cpus=2,
    memory_mib=4096,
    annotation="",
    extra_config=MARKS,
    disk_uuid_enabled=True,
    disks=(),
    nics=(),
    ip_addresses=(),
    tools_running=False,
    folder_moid="group-v1",
    host_moid="host-1",
    host_name="esx-1",
    file_name="[ds] dc-east-cp-1/dc-east-cp-1.vmx",
    is_template=False,
)
UNREADABLE = replace(VM, instance_uuid="", bios_uuid="", extra_config={}, connection_state="inaccessible")


@pytest.mark.parametrize(
    ("vm", "expected"),
    [
        (VM, True),
        (replace(VM, name="renamed", bios_uuid="other", extra_config={}), True),
        (replace(VM, instance_uuid="changed"), True),
        (replace(VM, instance_uuid="changed", name="renamed"), True),
        (replace(VM, instance_uuid="changed", bios_uuid="changed"), True),
        (replace(VM, instance_uuid="copy", bios_uuid="copy", name="a copy"), False),
        (replace(VM, instance_uuid="foreign", extra_config={}), False),
        (replace(VM, instance_uuid="foreign", extra_config={**MARKS, "palette.machine": "m-2"}), False),
        (UNREADABLE, True),
        (replace(UNREADABLE, moid="vm-2"), False),
    ],
)
def test_whose_machine_it_is(vm: VirtualMachine, expected: bool) -> None:
    assert is_ours(vm, OURS) is expected


def test_copy_of_a_machine_without_a_known_bios_uuid_is_not_ours() -> None:
    copy = replace(VM, instance_uuid="copy", bios_uuid="", name="a copy")

    assert not is_ours(copy, replace(OURS, bios_uuid=""))


class FakeVCenter:
    """Finds what it was given under each key; everything else is not there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **found: VirtualMachine) -> None:
        self.asked: list[str] = []
        for name in ("find_by_instance_uuid", "find_by_bios_uuid", "find_in_folder"):
            monkeypatch.setattr(remains, name, self._answer(name, found))
        monkeypatch.setattr(remains, "read_machine", self._read(found))

    def _answer(self, name, found):
        def answer(*_: object) -> VirtualMachine | None:
            self.asked.append(name)
            return found.get(name)

        return answer

    def _read(self, found):
        def read(*_: object) -> VirtualMachine:
            if "read_machine" not in found:
                raise NotFound("gone")
            return found["read_machine"]

        return read


def find(identity: Identity = OURS) -> VirtualMachine | None:
    return find_remains(SimpleNamespace(), identity)


def test_found_by_instance_uuid_asks_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    vcenter = FakeVCenter(monkeypatch, find_by_instance_uuid=VM)

    assert find() == VM
    assert vcenter.asked == ["find_by_instance_uuid"]


@pytest.mark.parametrize("place", ["find_by_bios_uuid", "read_machine", "find_in_folder"])
def test_found_elsewhere_by_its_marks(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    changed = replace(VM, instance_uuid="changed")
    FakeVCenter(monkeypatch, **{place: changed})

    assert find() == changed


def test_foreign_machine_with_the_same_bios_uuid_and_name_is_passed_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    foreign = replace(VM, instance_uuid="foreign", extra_config={})
    FakeVCenter(monkeypatch, find_by_bios_uuid=foreign, find_in_folder=foreign)

    assert find() is None


def test_unreadable_machine_in_our_place_might_be_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeVCenter(monkeypatch, find_in_folder=UNREADABLE)

    with pytest.raises(HostUnavailable, match="inaccessible"):
        find(replace(OURS, moid="", bios_uuid=""))


def test_nothing_is_left_when_even_the_folder_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeVCenter(monkeypatch)

    def gone(*_: object) -> None:
        raise NotFound("folder")

    monkeypatch.setattr(remains, "find_in_folder", gone)

    assert find() is None
