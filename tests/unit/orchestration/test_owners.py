import os
import subprocess

from palette_portal.orchestration import owners


def test_owner_of_a_living_process_is_not_dead():
    assert not owners.is_dead(owners.this_process())


def test_owner_that_was_killed_is_dead_before_anybody_waited_for_it():
    child = subprocess.Popen(["sleep", "60"])
    owner = owners._describe(child.pid)
    assert not owners.is_dead(owner)

    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert owners.is_dead(owner)
    child.wait()
    assert owners.is_dead(owner)


def test_owner_whose_number_another_process_has_now():
    machine, pid, _ = owners.this_process().split("/")

    assert owners.is_dead(f"{machine}/{pid}/1")


def test_owner_on_another_machine_is_never_called_dead():
    assert not owners.is_dead("other-boot:4026531836/999999/1")


def test_owner_unknown():
    assert not owners.is_dead("")


def test_owner_where_machines_cannot_be_told_apart_is_never_called_dead(monkeypatch):
    monkeypatch.setattr(owners, "_machine", lambda: "")

    assert not owners.is_dead("/999999/1")
