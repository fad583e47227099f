"""What somebody does to a running machine by hand in vCenter is noticed, told, and over when put right."""

import threading
from collections.abc import Iterator

import pytest
from django.db import connection
from django.utils import timezone
from pyVmomi import vim

from clusters import watcher
from clusters.actions.observations import Observation, note_missing, note_observation
from clusters.models import Machine
from clusters.states import ClusterHealth, MachineState
from clusters.watcher import watch
from tests.integration.provisioning.stage import Stage
from tests.integration.provisioning.test_watcher import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def running(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A cluster that is Running and watched."""
    monkeypatch.setattr(watcher, "EXPECT_SECONDS", 0.2)
    monkeypatch.setattr(watcher, "SWEEP_SECONDS", 1)
    stage.start()
    stage.finish()
    stop = threading.Event()

    def run() -> None:
        watch(stop)
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: machine(stage).power_state == "poweredOn", stage)
    yield stage
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def machine(stage: Stage) -> Machine:
    return stage.machine()


def health(stage: Stage) -> str:
    stage.cluster.refresh_from_db()
    return stage.cluster.health


def test_power_off_by_hand_is_unhealthy_until_it_is_on_again(running: Stage) -> None:
    vm = running.vcenter.machine(machine(running).name)

    running.vcenter.wait(vm.PowerOffVM_Task())

    wait_for(lambda: health(running) == ClusterHealth.UNHEALTHY, running)
    (problem,) = running.cluster.health_problems
    assert problem.startswith(f"{machine(running).name} is powered off in vCenter.")
    (event,) = running.events("GatewayUnhealthy")
    assert event.message == problem

    running.vcenter.wait(vm.PowerOnVM_Task())

    wait_for(lambda: health(running) == ClusterHealth.HEALTHY, running)
    assert running.cluster.health_problems == []
    assert len(running.events("GatewayHealthy")) == len(running.events("PoweredOnAgain")) == 1


def test_removal_by_hand_is_told(running: Stage) -> None:
    moid = machine(running).moid

    running.vcenter.remove([moid])

    wait_for(lambda: machine(running).missing_since, running)
    assert health(running) == ClusterHealth.UNHEALTHY
    assert any("is not in vCenter any more" in told.message for told in running.events("GatewayUnhealthy"))


def test_change_by_hand_is_told_and_leaves_the_cluster_healthy(running: Stage) -> None:
    vm, name = running.vcenter.machine(machine(running).name), machine(running).name

    running.vcenter.rename(vm, "somebody-elses-name")

    wait_for(lambda: machine(running).drift, running)
    assert machine(running).drift == f"{name} has the name somebody-elses-name."
    (event,) = running.events("MachineChanged")
    assert "Somebody changed it in vCenter." in event.message
    assert health(running) == ClusterHealth.HEALTHY

    running.vcenter.rename(vm, name)

    wait_for(lambda: not machine(running).drift, running)


def test_smaller_machine_is_told(running: Stage) -> None:
    vm = running.vcenter.machine(machine(running).name)
    running.vcenter.wait(vm.PowerOffVM_Task())

    running.vcenter.wait(vm.ReconfigVM_Task(vim.vm.ConfigSpec(numCPUs=1)))

    wait_for(lambda: "1 vCPU instead of 2" in machine(running).drift, running)


def test_machine_registered_again_is_found_by_its_uuid(running: Stage) -> None:
    """Registering gives it another id in vCenter."""
    moid = machine(running).moid

    Machine.objects.filter(pk=machine(running).pk).update(moid="vm-999999", missing_since=timezone.now())

    wait_for(lambda: machine(running).missing_since is None, running)
    assert machine(running).moid == moid


def test_machine_that_an_operation_takes_away_is_not_told(running: Stage) -> None:
    Machine.objects.filter(pk=machine(running).pk).update(state=MachineState.DELETING)

    note_missing(machine_id=machine(running).pk)
    note_observation(machine_id=machine(running).pk, seen=Observation("another", "poweredOff"))

    assert (machine(running).missing_since, machine(running).drift) == (None, "")
    assert running.events("GatewayUnhealthy") == []
