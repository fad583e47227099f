"""A gateway in the middle of its provisioning, for taking it away again."""

from collections.abc import Callable
from typing import Any

from pyVmomi import vim

from clusters.actions.provision import provision_cluster
from clusters.states import ClusterState, MachineState
from gateways.actions.confirm import EXTRA_STEPS
from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from ippools.models import IPAddressClaim
from palette_portal.orchestration.models import Operation, OperationState
from palette_portal.orchestration.outcomes import Outcome
from palette_portal.orchestration.steps import StepContext
from tests.integration.provisioning.stage import Stage

StepFunction = Callable[[StepContext], Outcome]


def provision(stage: Stage, *, nodes: int = 1, **changes: Any) -> None:
    """As Confirm does; nothing has run yet."""
    PrivateCloudGateway.objects.filter(pk=stage.gateway.pk).update(state=GatewayState.PROVISIONING)
    stage.gateway.refresh_from_db()
    stage.cluster, stage.operation = provision_cluster(
        request=stage.request(nodes, **changes), extra_steps=EXTRA_STEPS, by=None
    )


def follow_latest(stage: Stage) -> Operation:
    """The stage goes on with the newest operation on its cluster."""
    latest = Operation.objects.of(stage.cluster.subject).first()
    assert latest is not None
    stage.operation = latest
    return latest


def finish(stage: Stage) -> None:
    stage.finish()
    assert stage.operation.state == OperationState.SUCCEEDED, stage.describe()


def assert_nothing_left(stage: Stage) -> None:
    """Zero machines of ours in vCenter, zero addresses held, all rows say so."""
    assert stage.vms_of_ours() == []
    assert not IPAddressClaim.objects.held().exists()
    stage.cluster.refresh_from_db()
    assert stage.cluster.state == ClusterState.DELETED
    assert {machine.state for machine in stage.cluster.machines.all()} == {MachineState.DELETED}
    assert not hasattr(stage.cluster, "secrets")
    assert not stage.lab.state()["running_tasks"]


def all_machines(stage: Stage) -> list[str]:
    return sorted(values["name"] for values in stage.vcenter.collect(vim.VirtualMachine, "name").values())
