import http.client
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from pyVmomi import vim, vmodl

from tests.lab.api import VSphere
from tests.lab.vcsim import Lab

TEMPLATE = "r_u-2204-0-k-1312-0"
CUT = (OSError, http.client.HTTPException)


def test_lost_reply_leaves_the_work_done(lab: Lab, vcenter: VSphere) -> None:
    lab.lose_reply("CloneVM_Task", after_work=True)

    with pytest.raises(CUT):
        vcenter.clone(TEMPLATE, "one")

    assert "one" in vcenter.machines()


def test_lost_reply_lets_the_work_go_on(lab: Lab, vcenter: VSphere) -> None:
    lab.set_durations(clone_seconds=0.5)
    lab.lose_reply("CloneVM_Task", name="on*")

    with pytest.raises(CUT):
        vcenter.clone(TEMPLATE, "one")

    assert "one" not in vcenter.machines()
    lab.wait_for_tasks()
    assert "one" in vcenter.machines()


def test_fault_names_privilege_and_object(lab: Lab, vcenter: VSphere) -> None:
    folder = vcenter.find(vim.Folder, "palette-gateways")._GetMoId()
    lab.deny("CloneVM_Task", "VirtualMachine.Inventory.CreateFromExisting", folder, "Folder")

    with pytest.raises(vim.fault.NoPermission) as denied:
        vcenter.clone(TEMPLATE, "one")

    assert denied.value.privilegeId == "VirtualMachine.Inventory.CreateFromExisting"
    assert denied.value.object._GetMoId() == folder


def test_fault_of_a_task_ends_the_task_as_often_as_asked(lab: Lab, vcenter: VSphere) -> None:
    lab.fill_datastore("shared-nfs-1", times=1)

    with pytest.raises(vim.fault.NoDiskSpace):
        vcenter.wait(vcenter.clone(TEMPLATE, "one"))
    vcenter.wait(vcenter.clone(TEMPLATE, "one"))

    assert vcenter.machines().count("one") == 1


def test_unknown_fault_is_refused(lab: Lab) -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        lab.fail("CloneVM_Task", "NoSuchFault")


def test_unreachable_server_cuts_and_comes_back(lab: Lab, vcenter: VSphere) -> None:
    lab.unreachable(seconds=60)

    with pytest.raises(CUT):
        vcenter.machines()
    lab.reachable()

    assert "jump-host" in vcenter.machines()


def test_hanging_server_does_not_answer_until_it_is_well(lab: Lab, vcenter: VSphere) -> None:
    lab.unreachable(seconds=0.5, hang=True)
    begun = time.monotonic()

    with pytest.raises(CUT):
        vcenter.machines()

    assert time.monotonic() - begun > 0.3


def test_password_change_is_noticed_at_the_next_login(lab: Lab, vcenter: VSphere) -> None:
    old = lab.login()
    lab.change_password("another")

    assert "jump-host" in vcenter.machines()
    with pytest.raises(vim.fault.InvalidLogin):
        VSphere(**old).__enter__()
    with lab.connect() as session:
        assert session.machines()


def test_expired_session_is_told(lab: Lab, vcenter: VSphere) -> None:
    lab.expire_sessions()

    with pytest.raises(vim.fault.NotAuthenticated):
        vcenter.machines()
    vcenter.content.sessionManager.Login(lab.username, lab.password)


def test_sessions_are_counted_until_logged_out(lab: Lab) -> None:
    before = lab.state()
    with lab.connect(), lab.connect():
        assert len(lab.sessions()) == len(before["sessions"]) + 2

    after = lab.state()
    assert len(after["sessions"]) == len(before["sessions"])
    assert after["logouts"] - before["logouts"] == 2


def test_calls_are_counted_per_method(lab: Lab, vcenter: VSphere) -> None:
    lab.forget_calls()

    vcenter.wait(vcenter.clone(TEMPLATE, "one"))

    assert lab.calls()["CloneVM_Task"] == 1


def test_clock_can_be_wrong(lab: Lab, vcenter: VSphere) -> None:
    lab.set_clock_offset(-3600)

    behind = time.time() - vcenter.instance.CurrentTime().timestamp()

    assert behind == pytest.approx(3600, abs=5)


def test_many_clones_at_once_are_all_made(lab: Lab, vcenter: VSphere) -> None:
    tasks = [vcenter.clone(TEMPLATE, f"many-{i}") for i in range(12)]

    hosts = {vcenter.wait(task).runtime.host.name for task in tasks}

    assert len(hosts) > 1  # it chooses by chance
    assert len({vm.config.instanceUuid for vm in (task.info.result for task in tasks)}) == 12


def test_lab_ends_with_the_process_that_started_it(tmp_path: os.PathLike[str]) -> None:
    endpoint = f"{tmp_path}/endpoint.json"
    command = [sys.executable, "-m", "tests.lab", "--data", f"{tmp_path}/data", "--endpoint", endpoint]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout
        server = runner.stdout.readline().split()[1]
        runner.send_signal(signal.SIGKILL)
        runner.wait()

    host, _, port = server.partition(":")
    for _ in range(500):
        connection = http.client.HTTPSConnection(host, int(port), timeout=5)
        try:
            connection.connect()
        except ConnectionRefusedError:
            return
        except OSError:
            threading.Event().wait(0.02)
        finally:
            connection.close()
    pytest.fail("The simulator still listens.")


def test_missing_object_is_told_as_vcenter_does(vcenter: VSphere) -> None:
    vm = vcenter.create_machine("one")
    vcenter.wait(vm.Destroy_Task())

    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        vm.PowerOnVM_Task()
