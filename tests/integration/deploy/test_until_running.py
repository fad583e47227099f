"""What the wizard asks for is what provisioning can do: from the first page to a cluster that runs."""

from contextlib import ExitStack
from typing import Any

from clusters.models import Cluster
from clusters.states import ClusterState
from ippools.models import IPAddressClaim
from palette_portal.orchestration.models import Operation, OperationKind
from tests.integration.deploy.test_review import export
from tests.integration.deploy.walk import METALLB, DeployWalk, make_add_on
from tests.integration.provisioning.stage import make_stage
from tests.lab.api import VSphere


def test_deployed_cluster_runs_as_the_review_said(walk: DeployWalk, vcenter: VSphere) -> None:
    walk.lab.set_durations(clone_seconds=0.05, power_on_seconds=0.02)
    walk.to_pools(own_folder="on")
    walk.accept("pools", walk.pools())
    planned = export(walk)["planned"]
    walk.confirm()

    with ExitStack() as closing:
        stage = make_stage(walk.lab, vcenter, closing)
        stage.cluster, stage.operation = (
            Cluster.objects.get(),
            Operation.objects.exclude(kind=OperationKind.CHECK).get(),
        )
        stage.finish()

    assert stage.cluster.state == ClusterState.RUNNING, stage.describe()
    assert stage.cluster.endpoint_host == planned["endpoint"]
    held = dict(IPAddressClaim.objects.held().filter(purpose="node").values_list("owner_name", "address"))
    assert held == {machine["name"]: machine["address"] for machine in planned["machines"]}
    assert {machine["name"] for machine in planned["machines"]} <= set(vcenter.machines())


def test_packs_of_an_add_on_profile_reach_the_first_node_after_the_others(
    walk: DeployWalk, vcenter: VSphere
) -> None:
    walk.lab.set_durations(clone_seconds=0.05, power_on_seconds=0.02)
    addresses = {"metallb": 'addresses: ["{{.spectro.var.RANGE}}"]\n'}
    load_balancer = make_add_on(
        walk.project, "lb", METALLB, variables=[{"name": "RANGE", "required": True}], values=addresses
    )
    walk.add_ons = [make_add_on(walk.project), load_balancer]
    walk.variables = {f"{load_balancer.profile_id.hex}-RANGE": "10.99.0.0/28"}
    walk.to_review(w1={"size": "1"})
    walk.confirm()
    documents: dict[str, dict[str, Any]] = {}

    with ExitStack() as closing:
        stage = make_stage(walk.lab, vcenter, closing)
        stage.guests.listen = lambda name, user_data: documents.update({name: user_data})
        stage.cluster = Cluster.objects.get()
        stage.operation = Operation.objects.exclude(kind=OperationKind.CHECK).get()
        stage.finish()

    assert stage.cluster.state == ClusterState.RUNNING, stage.describe()
    first, worker = documents["payments-prod-cp-1"], documents["payments-prod-worker-pool-1"]
    manifests = [
        entry for entry in first["write_files"] if entry["path"].startswith("/etc/palette/manifests/")
    ]
    names = [entry["path"].rpartition("/")[2] for entry in manifests]
    assert [name[4:].partition(".")[0] for name in names[-3:]] == [
        "metrics-server",
        "metallb",
        "metallb-addresses",
    ]
    assert "10.99.0.0/28" in manifests[-1]["content"]
    assert "metallb" not in str(worker)
    assert not stage.cluster.layers.filter(applied_at=None).exists()
