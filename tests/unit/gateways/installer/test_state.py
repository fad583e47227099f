import os
import stat
from pathlib import Path

import pytest

from gateways.installer import state as state_module
from gateways.installer.ssh import add_key
from gateways.installer.state import StateFile
from tests.unit.gateways.installer.factories import SSH_KEY

UUID = "4214c2f5-8f6c-4d7e-9a55-2a3c9d7b1e10"


def registered(folder: Path) -> StateFile:
    files = StateFile(folder)
    state = files.load(UUID).registered(
        endpoint="https://portal.example.com", gateway_uid="g-1", token="secret-t"
    )
    files.save(state)
    return files


def test_state_after_a_restart(tmp_path: Path) -> None:
    registered(tmp_path)

    state = StateFile(tmp_path).load(UUID)

    assert (state.gateway_uid, state.token, state.instance_uuid) == ("g-1", "secret-t", UUID)
    assert state.is_registered


def test_state_is_for_root_only(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        registered(tmp_path / "state")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "state" / "state.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert "secret-t" not in repr(StateFile(tmp_path / "state").load(UUID))


def test_state_whose_writing_was_cut_off(tmp_path: Path) -> None:
    files = registered(tmp_path)
    (tmp_path / "state.new").write_text('{"instance_uuid": "421')

    assert files.load(UUID).token == "secret-t"
    files.save(files.load(UUID))
    assert not (tmp_path / "state.new").exists()


def test_state_that_is_damaged(tmp_path: Path) -> None:
    registered(tmp_path)
    (tmp_path / "state.json").write_text("{}")

    state = StateFile(tmp_path).load(UUID)

    assert not state.is_registered
    assert state.instance_uuid == UUID


def test_state_of_a_vm_this_one_was_cloned_from(tmp_path: Path) -> None:
    registered(tmp_path)

    assert not StateFile(tmp_path).load("99999999-8f6c-4d7e-9a55-2a3c9d7b1e10").is_registered


def test_state_without_hardware_uuid_keeps_the_one_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_module, "_DMI_UUID", tmp_path / "none")

    first = StateFile(tmp_path).load().instance_uuid

    assert StateFile(tmp_path).load().instance_uuid == first


def test_hardware_uuid_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "product_uuid").write_text(UUID.upper() + "\n")
    monkeypatch.setattr(state_module, "_DMI_UUID", tmp_path / "product_uuid")

    assert StateFile(tmp_path).load().instance_uuid == UUID


def test_ssh_key_is_added_once(tmp_path: Path) -> None:
    path = tmp_path / ".ssh" / "authorized_keys"
    owner = (os.getuid(), os.getgid())
    path.parent.mkdir()
    path.write_text("ssh-rsa AAAA carla")

    for _ in range(2):
        add_key(path, SSH_KEY, owner=owner)

    assert path.read_text() == f"ssh-rsa AAAA carla\n{SSH_KEY}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
