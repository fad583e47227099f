"""What nodes may tell the portal, and what becomes of it."""

from uuid import uuid4

import pytest
from django.test import Client

from clusters.models import ClusterLayer, Machine
from clusters.states import MachineState
from clusters.tokens import report_token, token_digest
from palette_portal.orchestration.models import Event
from tests.factories import make_machine

pytestmark = pytest.mark.django_db


@pytest.fixture
def machine() -> Machine:
    machine = make_machine(name="gw-cp-1", ip_address="10.10.183.20")
    machine.report_token_hash = token_digest(report_token(machine).reveal())
    machine.save()
    return machine


def post(machine, phase="booted", *, token=None, **changes):
    body = {"phase": phase, "message": "", "addresses": ["10.10.183.20"], "kubelet_version": "", **changes}
    token = report_token(machine).reveal() if token is None else token
    headers = {"authorization": f"Bearer {token}"}
    return Client().post(f"/v1/machines/{machine.id}/reports", body, "application/json", headers=headers)


def phase_of(machine):
    machine.refresh_from_db()
    return machine.phase


def test_report_is_taken(machine):
    answer = post(machine, "control-plane-ready", kubelet_version="v1.31.2")

    assert answer.status_code == 204
    machine.refresh_from_db()
    assert (machine.phase, machine.kubelet_version) == ("control-plane-ready", "v1.31.2")
    assert machine.last_report_at is not None


def test_report_is_told_as_an_event(machine):
    post(machine, "ready")

    event = Event.objects.get(reason="NodeReady")
    assert (event.object_kind, event.object_name) == ("machine", "gw-cp-1")
    assert event.message == "gw-cp-1 is ready."


def test_layers_are_applied_when_the_first_node_says_so(machine):
    layer = ClusterLayer.objects.create(
        cluster=machine.cluster, kind="cni", position=1, pack="calico", pack_version="3.33.0"
    )

    post(machine, "control-plane-ready")
    layer.refresh_from_db()
    assert layer.applied_at is None

    post(machine, "packs-applied")
    layer.refresh_from_db()
    assert layer.applied_at is not None


def test_report_that_comes_twice_is_one_event(machine):
    post(machine, "booted")
    post(machine, "booted")

    assert Event.objects.filter(reason="NodeBooted").count() == 1


def test_report_that_comes_late_does_not_lead_back(machine):
    post(machine, "ready")
    post(machine, "booted")

    assert phase_of(machine) == "ready"


def test_failure_is_kept_with_its_words_until_the_node_goes_on(machine):
    post(machine, "failed", message="kubeadm: no route to host")
    assert (phase_of(machine), machine.phase_message) == ("failed", "kubeadm: no route to host")

    post(machine, "joined")

    assert phase_of(machine) == "joined"


def test_heartbeat_changes_only_the_time(machine):
    post(machine, "ready")
    before = Event.objects.count()

    assert post(machine, "heartbeat").status_code == 204

    assert phase_of(machine) == "ready"
    assert Event.objects.count() == before


def test_heartbeat_costs_few_queries(machine, django_assert_num_queries):
    with django_assert_num_queries(2):
        post(machine, "heartbeat")


def test_first_address_of_a_dhcp_node_is_taken(machine):
    Machine.objects.filter(pk=machine.pk).update(ip_address=None)

    post(machine, addresses=["10.10.183.77", "10.244.0.1"])

    machine.refresh_from_db()
    assert machine.ip_address == "10.10.183.77"


@pytest.mark.parametrize("token", ["", "wrong", "0" * 64])
def test_report_with_a_wrong_token_is_refused(machine, token):
    answer = post(machine, token=token)

    assert answer.status_code == 401
    assert set(answer.json()) == {"code", "message"}
    assert phase_of(machine) == ""


def test_report_with_the_token_of_another_machine_is_refused(machine):
    other = Machine(id=uuid4())

    assert post(machine, token=report_token(other).reveal()).status_code == 401


def test_report_of_an_unknown_machine_is_refused_alike(machine):
    assert post(Machine(id=uuid4())).status_code == 401


def test_report_before_the_documents_were_written_is_refused(machine):
    Machine.objects.filter(pk=machine.pk).update(report_token_hash="")

    assert post(machine).status_code == 401


def test_report_of_a_deleted_machine_is_not_found(machine):
    Machine.objects.filter(pk=machine.pk).update(state=MachineState.DELETED)

    answer = post(machine)

    assert answer.status_code == 404
    assert answer.json()["code"] == "MachineDeleted"


@pytest.mark.parametrize(
    "changes",
    [
        {"phase": "sleeping"},
        {"message": "x" * 2001},
        {"addresses": ["not an address"]},
        {"addresses": ["10.0.0.1"] * 65},
        {"kubelet_version": "v" * 33},
    ],
)
def test_report_of_a_wrong_form_is_refused(machine, changes):
    answer = post(machine, **changes)

    assert answer.status_code == 422
    assert set(answer.json()) == {"code", "message"}


def test_report_that_is_too_large_is_refused_unread(machine):
    answer = post(machine, message="x" * 20_000)

    assert answer.status_code == 413


def test_reports_are_limited_for_each_machine(machine):
    answers = {post(machine, "heartbeat").status_code for _ in range(61)}

    assert answers == {204, 429}


def test_token_survives_a_new_secret_key(machine, settings):
    token = report_token(machine).reveal()
    settings.SECRET_KEY = "rotated"

    assert post(machine, token=token).status_code == 204
