"""A cluster of a project: workers in three zones, a folder of its own, tags, labels and taints."""

import base64
from dataclasses import replace
from typing import Any

import pytest
import yaml
from pyVmomi import vim

from clusters.actions.provision import PlacementRequest, PoolRequest
from clusters.models import AddressAllocation, ClusterPurpose, Machine, PoolRole
from clusters.states import ClusterState
from palette_portal.bootstrap.nodes import Taint, TaintEffect
from palette_portal.orchestration.engine import run_step
from palette_portal.orchestration.models import OperationState, StepState
from palette_portal.vsphere.errors import NoPermission
from palette_portal.vsphere.folders import create_folder
from palette_portal.vsphere.session import connect
from palette_portal.vsphere.tags import read_tags
from tests.factories import make_project
from tests.integration.provisioning.stage import Stage


def zones(stage: Stage) -> tuple[PlacementRequest, ...]:
    return tuple(replace(stage.placement, zone=zone) for zone in ("zone-a", "zone-b", "zone-c"))


def masters(stage: Stage, **changes: Any) -> PoolRequest:
    values = {"placements": zones(stage), "takes_workloads": False, "labels": {"tier": "control"}}
    return replace(stage.request(1).pools[0], **{**values, **changes})


def workers(stage: Stage, **changes: Any) -> PoolRequest:
    values: dict[str, Any] = {
        "name": "web",
        "role": PoolRole.WORKER,
        "size": 3,
        "placements": zones(stage),
        "takes_workloads": True,
        "labels": {"tier": "web"},
        "taints": (Taint("gpu", "yes", TaintEffect.NO_SCHEDULE),),
    }
    return replace(masters(stage), **{**values, **changes})


def start(stage: Stage, **changes: Any) -> None:
    pools = (masters(stage), workers(stage))
    values: dict[str, Any] = {
        "name": "shop",
        "purpose": ClusterPurpose.TENANT,
        "project": make_project(),
        "pools": pools,
        "region": "europe",
        **changes,
    }
    stage.start(**values)


def provision(stage: Stage, **changes: Any) -> None:
    start(stage, **changes)
    stage.finish()
    assert stage.operation.state == OperationState.SUCCEEDED, stage.describe()
    assert stage.cluster.state == ClusterState.RUNNING
    stage.assert_nothing_doubled_or_leaked()


def vm_of(stage: Stage, machine: Machine, *paths: str) -> dict[str, Any]:
    return stage.vcenter.read(stage.vcenter.machine(machine.name), *paths)


def test_nodes_are_spread_over_three_zones_and_say_so(db: None, stage: Stage) -> None:
    documents: dict[str, dict[str, Any]] = {}
    stage.guests.listen = lambda name, user_data: documents.update({name: user_data})

    provision(stage)

    assert sorted(documents) == ["shop-cp-1", "shop-web-1", "shop-web-2", "shop-web-3"]
    registrations = {name: registration(user_data) for name, user_data in documents.items()}
    for number, zone in enumerate(("zone-a", "zone-b", "zone-c"), start=1):
        labels, taints = registrations[f"shop-web-{number}"]
        assert labels == {
            "tier=web",
            "topology.kubernetes.io/region=europe",
            f"topology.kubernetes.io/zone={zone}",
        }
        assert taints == [{"key": "gpu", "effect": "NoSchedule", "value": "yes"}]
    labels, taints = registrations["shop-cp-1"]
    assert "tier=control" in labels and taints is None  # kubeadm's own taint keeps pods away


def registration(user_data: dict[str, Any]) -> tuple[set[str], Any]:
    files = {entry["path"]: entry["content"] for entry in user_data["write_files"]}
    text = files.get("/run/kubeadm/kubeadm.yaml") or files["/run/kubeadm/kubeadm-join.yaml"]
    found = next(iter(yaml.safe_load_all(text)))["nodeRegistration"]
    arguments = {entry["name"]: entry["value"] for entry in found["kubeletExtraArgs"]}
    return set(arguments["node-labels"].split(",")), found.get("taints")


def test_workers_begin_side_by_side_once_the_api_answers(db: None, stage: Stage) -> None:
    stage.guests.silent = {"shop-web-1", "shop-web-2", "shop-web-3"}
    start(stage)
    powering = stage.operation.steps.filter(key__startswith="shop-web-", key__endswith="/powered-on")

    stage.go_on_until(lambda: powering.filter(state=StepState.DONE).count() == 3)

    assert stage.step("shop-cp-1/in-cluster").state == StepState.DONE
    first = stage.step("shop-cp-1/in-cluster").finished_at
    assert all(step.first_started_at >= first for step in powering)
    assert stage.step("shop-web-1/in-cluster").state != StepState.DONE


def test_search_domain_reaches_nodes_with_dhcp(db: None, stage: Stage) -> None:
    no_pool = [replace(pool, ip_pool=None) for pool in (masters(stage), workers(stage, size=1))]

    provision_with_dhcp(stage, tuple(no_pool))

    for machine in stage.cluster.machines.all():
        options = vm_of(stage, machine, "config.extraConfig")["config.extraConfig"]
        metadata = {option.key: option.value for option in options}["guestinfo.metadata"]
        interface = yaml.safe_load(base64.b64decode(metadata))["network"]["ethernets"]["id0"]
        assert interface["dhcp4"] and interface["nameservers"] == {"search": ["shop.example.com"]}


def provision_with_dhcp(stage: Stage, pools: tuple[PoolRequest, ...]) -> None:
    start(
        stage,
        pools=pools,
        address_allocation=AddressAllocation.DHCP,
        endpoint_host="api.shop.example.com",
        search_domain="shop.example.com",
    )
    stage.finish()
    assert stage.cluster.state == ClusterState.RUNNING, stage.describe()


def folder_of(stage: Stage, machine: Machine) -> tuple[str, str]:
    """Its moid and name."""
    folder = vm_of(stage, machine, "parent")["parent"]
    return folder._moId, stage.vcenter.read(folder, "name")["name"]


@pytest.fixture
def no_folder_left(stage: Stage) -> Any:
    yield
    stage.vcenter.remove([machine.moid for machine in Machine.objects.all()])
    for folder, values in stage.vcenter.collect(vim.Folder, "name").items():
        if values["name"] == "shop":
            stage.vcenter.wait(folder.Destroy_Task())


@pytest.mark.usefixtures("no_folder_left")
def test_cluster_with_a_folder_of_its_own_has_its_machines_there(db: None, stage: Stage) -> None:
    provision(stage, has_own_folder=True, pools=(masters(stage),))

    moid, name = folder_of(stage, stage.machine())
    assert (name, moid) == ("shop", stage.cluster.own_folder_moid)


@pytest.mark.usefixtures("no_folder_left")
def test_folder_whose_answer_was_lost_is_found_again(db: None, stage: Stage) -> None:
    stage.lab.lose_reply("CreateFolder", after_work=True)

    provision(stage, has_own_folder=True, pools=(masters(stage),))

    assert stage.vcenter.names(vim.Folder).count("shop") == 1
    assert folder_of(stage, stage.machine())[1] == "shop"


@pytest.mark.usefixtures("no_folder_left")
def test_folder_of_somebody_else_is_left_alone(db: None, stage: Stage) -> None:
    with connect(stage.lab.credentials()) as session:
        theirs = create_folder(session, stage.folder[0], "shop")
        create_folder(session, theirs, "archive")
    start(stage, has_own_folder=True, pools=(masters(stage),))
    stage.go_on_until(lambda: stage.step("folder-made").state == StepState.READY)

    run_step(stage.step("folder-made").pk)

    step = stage.step("folder-made")
    assert step.reason == "NameTaken" and "has a folder shop already" in step.message
    assert step.state == StepState.RETRYING


@pytest.mark.usefixtures("no_folder_left")
def test_empty_folder_of_the_name_is_used(db: None, stage: Stage) -> None:
    with connect(stage.lab.credentials()) as session:
        empty = create_folder(session, stage.folder[0], "shop")

    provision(stage, has_own_folder=True, pools=(masters(stage),))

    assert stage.cluster.own_folder_moid == empty


def test_tags_of_the_cluster_are_on_its_machines(db: None, stage: Stage) -> None:
    provision(stage, tags=("team:payments", "production"), pools=(masters(stage), workers(stage, size=1)))

    machines = list(stage.cluster.machines.all())
    with connect(stage.lab.credentials()) as session:
        found = read_tags(session, [("VirtualMachine", machine.moid) for machine in machines])
    for machine in machines:
        tags = sorted((tag.category, tag.name) for tag in found[machine.moid])
        assert tags == [("palette", "production"), ("palette", "team:payments")]
        assert "Tags: team:payments, production" in annotation(stage, machine)


def annotation(stage: Stage, machine: Machine) -> str:
    return str(vm_of(stage, machine, "config.annotation")["config.annotation"])


def test_cluster_without_tags_asks_nothing_of_the_tagging_service(db: None, stage: Stage) -> None:
    provision(stage, pools=(masters(stage),))

    assert not [call for call in stage.lab.calls() if "tagging" in call]


def test_refused_tags_are_a_warning_and_no_failure(
    db: None, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise NoPermission("The account may not read tags.")

    monkeypatch.setattr("clusters.steps.tags.ensure_tagged", refuse)

    provision(stage, tags=("production",), pools=(masters(stage),))

    (event,) = stage.events("TagsNotSet")
    assert event.severity == "Warning"
    assert "shop-cp-1 has its tags in its annotation only" in event.message
    assert "Tags: production" in annotation(stage, stage.machine())
