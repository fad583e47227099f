"""A gateway cluster from nothing to Running on the lab."""

import base64

from pyVmomi import vim

from clusters.models import AddressAllocation, ClusterSecrets
from clusters.states import ClusterHealth, ClusterState, MachineState
from palette_portal.orchestration.models import Event, OperationState
from tests.integration.provisioning.stage import Stage


def test_three_node_gateway_is_provisioned(stage: Stage) -> None:
    stage.start(nodes=3)

    stage.finish()

    assert stage.operation.state == OperationState.SUCCEEDED
    assert (stage.cluster.state, stage.cluster.health) == (ClusterState.RUNNING, ClusterHealth.HEALTHY)
    assert stage.cluster.running_at is not None
    machines = list(stage.cluster.machines.all())
    assert {machine.state for machine in machines} == {MachineState.RUNNING}
    assert [machine.ip_address for machine in machines] == ["10.10.183.20", "10.10.183.21", "10.10.183.22"]
    assert stage.cluster.endpoint == "10.10.183.23:6443"
    stage.assert_nothing_doubled_or_leaked()


def test_machine_has_what_was_asked_for(stage: Stage) -> None:
    stage.start()

    stage.finish()

    machine = stage.machine()
    vm = stage.vcenter.machine(machine.name)
    assert vm.config.instanceUuid == str(machine.id)
    assert (vm.config.hardware.numCPU, vm.config.hardware.memoryMB) == (2, 4096)
    disk = next(
        device for device in vm.config.hardware.device if isinstance(device, vim.vm.device.VirtualDisk)
    )
    assert disk.capacityInKB == 60 * 1024 * 1024
    assert machine.mac_address
    assert machine.moid == vm._GetMoId()


def test_masters_join_one_after_the_other(stage: Stage) -> None:
    stage.start(nodes=3)

    stage.finish()

    told = Event.objects.of(stage.cluster.subject).filter(
        reason__in=["NodeBooted", "ControlPlaneReady", "NodeJoined"]
    )
    first, second, third = (machine.name for machine in stage.cluster.machines.order_by("index"))
    assert [(event.reason, event.object_name) for event in told.order_by("number")] == [
        ("NodeBooted", first),
        ("ControlPlaneReady", first),
        ("NodeBooted", second),
        ("NodeJoined", second),
        ("NodeBooted", third),
        ("NodeJoined", third),
    ]


def test_machines_are_cloned_side_by_side(stage: Stage) -> None:
    stage.lab.set_durations(clone_seconds=3)
    stage.start(nodes=3)

    stage.go_on_until(
        lambda: stage.operation.steps.filter(external_ref__startswith="vsphere-task").count() == 3
    )

    assert len(stage.vms_of_ours()) == 0


def test_secrets_leave_vcenter_when_the_nodes_are_ready(stage: Stage) -> None:
    stage.start()

    stage.finish()

    vm = stage.vcenter.machine(stage.machine().name)
    options = {option.key: option.value for option in vm.config.extraConfig}
    user_data = base64.b64decode(options["guestinfo.userdata"]).decode()
    assert "token" not in user_data and "PRIVATE" not in user_data
    assert "local-hostname" in base64.b64decode(options["guestinfo.metadata"]).decode()


def test_secrets_are_encrypted_in_the_database(stage: Stage) -> None:
    from django.db import connection

    stage.start()

    stage.finish()

    with connection.cursor() as cursor:
        cursor.execute("SELECT pki, admin_kubeconfig, bootstrap_token FROM clusters_clustersecrets")
        stored = " ".join(cursor.fetchone())
    secrets = ClusterSecrets.objects.get(cluster=stage.cluster)
    assert "PRIVATE KEY" in secrets.pki
    assert "server: https://10.10.183.21:6443" in secrets.admin_kubeconfig
    assert "PRIVATE" not in stored and secrets.bootstrap_token not in stored


def test_dhcp_takes_the_address_that_the_guest_reports(stage: Stage) -> None:
    stage.start(address_allocation=AddressAllocation.DHCP, endpoint_host="gw.acme.test")

    stage.finish()

    assert stage.machine().ip_address == "10.10.183.200"
    assert stage.cluster.endpoint == "gw.acme.test:6443"
    assert not stage.operation.steps.filter(key="addresses-claimed").exists()


def test_portal_leaves_no_session_on_vcenter(stage: Stage) -> None:
    from palette_portal.vsphere.session import sessions

    before = len(stage.lab.sessions())
    stage.start()

    stage.finish()
    sessions.close_all()

    assert len(stage.lab.sessions()) == before
