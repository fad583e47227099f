"""A control plane node tells the load of a cluster whose pools scale themselves."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from clusters.models import ClusterLoad, Machine, MachinePool, PoolRole
from clusters.states import ClusterState, MachineState
from clusters.tokens import report_token, token_digest
from tests.factories import make_cluster, make_machine, make_machine_pool

pytestmark = pytest.mark.django_db
LINES = (
    "node\tw-1\t4\t8Gi\npod\tdefault/web\tw-1\t\tJob\t1,1Gi\npod\tdefault/job\t\tUnschedulable\tJob\t9,1Gi"
)


@pytest.fixture
def master() -> Machine:
    cluster = make_cluster(state=ClusterState.RUNNING)
    workers = make_machine_pool(cluster, name="workers", role=PoolRole.WORKER, size=1)
    MachinePool.objects.filter(pk=workers.pk).update(autoscales=True, minimum_size=1, maximum_size=4)
    make_machine(workers, name="w-1", state=MachineState.RUNNING)
    return with_token(make_machine(make_machine_pool(cluster), state=MachineState.RUNNING))


def with_token(machine: Machine) -> Machine:
    machine.report_token_hash = token_digest(report_token(machine).reveal())
    machine.save()
    return machine


def headers(machine: Machine) -> dict[str, str]:
    return {"authorization": f"Bearer {report_token(machine).reveal()}"}


def ask(machine: Machine) -> int:
    return Client().get(f"/v1/machines/{machine.pk}/load", headers=headers(machine)).status_code


def tell(machine: Machine, text: str = LINES) -> int:
    path = f"/v1/machines/{machine.pk}/load"
    return Client().post(path, text, "text/plain", headers=headers(machine)).status_code


def test_load_is_kept_and_not_asked_for_again_at_once(master: Machine) -> None:
    assert ask(master) == 200
    assert tell(master) == 204

    load = ClusterLoad.objects.get(cluster=master.cluster)
    assert [node["name"] for node in load.nodes] == ["w-1"]
    assert [pod["name"] for pod in load.pending] == ["default/job"]
    assert ask(master) == 204
    assert tell(master) == 409

    ClusterLoad.objects.update(reported_at=timezone.now() - timedelta(seconds=30))
    assert ask(master) == 200


def test_idle_node_is_noted_until_it_is_busy(master: Machine) -> None:
    tell(master)
    worker = Machine.objects.get(name="w-1")
    assert worker.idle_since is not None
    ClusterLoad.objects.update(reported_at=timezone.now() - timedelta(seconds=30))
    tell(master)
    assert Machine.objects.get(name="w-1").idle_since == worker.idle_since

    ClusterLoad.objects.update(reported_at=timezone.now() - timedelta(seconds=30))
    tell(master, "node\tw-1\t4\t8Gi\npod\tdefault/web\tw-1\t\tJob\t3,1Gi")

    assert Machine.objects.get(name="w-1").idle_since is None


def test_cluster_without_autoscaler_is_not_asked(master: Machine) -> None:
    MachinePool.objects.update(autoscales=False, minimum_size=None, maximum_size=None)

    assert ask(master) == 204


def test_worker_is_not_asked(master: Machine) -> None:
    worker = with_token(Machine.objects.get(name="w-1"))

    assert ask(worker) == 204
    assert tell(worker) == 409


def test_text_of_another_form_is_refused_and_changes_nothing(master: Machine) -> None:
    assert tell(master, "node w-1 4 8Gi") == 422
    assert not ClusterLoad.objects.exists()


def test_stranger_is_refused(master: Machine) -> None:
    path = f"/v1/machines/{master.pk}/load"

    assert Client().get(path, headers={"authorization": "Bearer guessed"}).status_code == 401
    assert Client().post(path, LINES, "text/plain").status_code == 401


def test_load_that_is_far_too_long_is_refused(master: Machine) -> None:
    assert tell(master, "x" * (2 * 1024**2 + 1)) == 413
