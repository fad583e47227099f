"""A gateway works on so many clusters at once; the others wait in its queue and start by themselves."""

from functools import partial
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from clusters.actions.queue import (
    Place,
    lines_of,
    place_in_queue,
    places_of,
    release_queue,
    release_waiting,
    why_queued,
)
from clusters.actions.removal import remove_cluster
from clusters.live import ClusterChannel, ClusterListChannel
from clusters.models import Cluster
from clusters.states import ClusterState
from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.orchestration.actions import cancel_operation, start_operation
from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.models import Operation, OperationKind, OperationState
from palette_portal.orchestration.outcomes import Done, Wait
from palette_portal.orchestration.steps import StepContext, StepSpec
from tests.engine import make_waiting_steps_due, run_due_steps
from tests.factories import (
    amelia,
    bao,
    make_cluster,
    make_gateway,
    make_project,
    make_release,
    make_tenant,
)
from tests.integration.orchestration.parallel import at_once

STEP = StepSpec("busy", "Keep busy", "tests.integration.clusters.test_queue.work")
finished: set[str] = set()


def work(context: StepContext) -> Done | Wait:
    return Done() if context.subject.name in finished else Wait(600, "Busy.")


@pytest.fixture(autouse=True)
def _nothing_finished() -> None:
    finished.clear()


@pytest.fixture
def gateway(db: None) -> PrivateCloudGateway:
    return make_gateway(name="dc-east", state=GatewayState.RUNNING)


def deploy(
    gateway: PrivateCloudGateway, name: str, kind: OperationKind = OperationKind.PROVISION
) -> Operation:
    """What every action does that makes machines."""
    with transaction.atomic():
        cluster = make_cluster(gateway, name=name, project=make_project(), state=ClusterState.PROVISIONING)
        return start_operation(
            kind=kind, subject=cluster.subject, steps=[STEP], by=None, queued_because=why_queued(cluster)
        )


def states(gateway: PrivateCloudGateway) -> dict[str, str]:
    return dict(Operation.objects.order_by("created_at").values_list("subject_name", "state"))


def end(name: str) -> None:
    finished.add(name)
    make_waiting_steps_due(Operation.objects.get(subject_name=name))
    run_due_steps()


def test_clusters_beyond_the_limit_wait_with_reason_and_place(gateway: PrivateCloudGateway) -> None:
    operations = [deploy(gateway, f"app-{number}") for number in range(1, 6)]

    assert [operation.state for operation in operations] == ["Running"] * 3 + ["Queued"] * 2
    assert operations[3].reason == "The gateway dc-east works on 3 clusters at once."
    assert [place_in_queue(operation) for operation in operations] == [0, 0, 0, 1, 2]


def test_gateway_of_three_nodes_works_on_six_clusters(db: None) -> None:
    gateway = make_gateway(size=3, state=GatewayState.RUNNING)

    operations = [deploy(gateway, f"app-{number}") for number in range(1, 8)]

    assert [operation.state for operation in operations] == ["Running"] * 6 + ["Queued"]


def test_limit_can_be_set(gateway: PrivateCloudGateway, settings: Any) -> None:
    settings.GATEWAY_CONCURRENT_PROVISIONING = {1: 1, 3: 2}

    deploy(gateway, "app-1")

    assert deploy(gateway, "app-2").reason == "The gateway dc-east works on 1 cluster at once."


@pytest.mark.parametrize("kind", [OperationKind.SCALE, OperationKind.REPLACE, OperationKind.UPDATE])
def test_everything_that_makes_machines_counts(gateway: PrivateCloudGateway, kind: OperationKind) -> None:
    for number in range(1, 4):
        deploy(gateway, f"app-{number}", kind)

    assert deploy(gateway, "app-4").state == OperationState.QUEUED


def test_removals_and_the_gateways_own_work_do_not_count(gateway: PrivateCloudGateway) -> None:
    body = make_cluster(gateway)
    start_operation(
        kind=OperationKind.PROVISION,
        subject=body.subject,
        steps=[STEP],
        by=None,
        queued_because=why_queued(body),
    )
    for number in range(1, 4):
        deploy(gateway, f"gone-{number}", OperationKind.DELETE)

    assert [deploy(gateway, f"app-{number}").state for number in range(1, 4)] == ["Running"] * 3


def test_gateway_body_never_waits(gateway: PrivateCloudGateway) -> None:
    for number in range(1, 5):
        deploy(gateway, f"app-{number}")

    assert why_queued(make_cluster(gateway)) == ""


def test_other_gateways_queue_is_another(gateway: PrivateCloudGateway) -> None:
    for number in range(1, 5):
        deploy(gateway, f"app-{number}")

    assert deploy(make_gateway(state=GatewayState.RUNNING), "elsewhere").state == OperationState.RUNNING


def test_first_in_line_starts_when_one_ends(
    gateway: PrivateCloudGateway, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    for number in range(1, 6):
        deploy(gateway, f"app-{number}")
    run_due_steps()

    with django_capture_on_commit_callbacks(execute=True):
        end("app-2")

    assert states(gateway)["app-4"] == OperationState.RUNNING
    assert states(gateway)["app-5"] == OperationState.QUEUED
    assert place_in_queue(Operation.objects.get(subject_name="app-5")) == 1


def test_schedule_releases_when_the_end_was_not_heard_of(gateway: PrivateCloudGateway) -> None:
    for number in range(1, 6):
        deploy(gateway, f"app-{number}")
    run_due_steps()
    end("app-1")
    assert states(gateway)["app-4"] == OperationState.QUEUED

    release_waiting()

    assert states(gateway)["app-4"] == OperationState.RUNNING


def test_nobody_overtakes_the_queue(gateway: PrivateCloudGateway) -> None:
    for number in range(1, 5):
        deploy(gateway, f"app-{number}")
    run_due_steps()
    end("app-1")

    late = deploy(gateway, "late")

    assert late.state == OperationState.QUEUED
    assert place_in_queue(late) == 2


def test_cancelled_one_lets_the_next_start(
    gateway: PrivateCloudGateway, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    operations = [deploy(gateway, f"app-{number}") for number in range(1, 5)]

    with django_capture_on_commit_callbacks(execute=True):
        cancel_operation(operations[0], by=None)

    assert states(gateway)["app-4"] == OperationState.RUNNING


def test_queued_cluster_can_be_deleted_and_leaves_the_line(
    gateway: PrivateCloudGateway, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    operations = [deploy(gateway, f"app-{number}") for number in range(1, 6)]

    with django_capture_on_commit_callbacks(execute=True):
        removal = remove_cluster(
            cluster=Cluster.objects.get(name="app-4"), kind=OperationKind.DELETE, by=None
        )

    assert removal.state == OperationState.RUNNING
    assert not operations[3].steps.filter(first_started_at__isnull=False).exists()
    assert place_in_queue(operations[4]) == 1


def test_place_in_words(gateway: PrivateCloudGateway) -> None:
    place = Place(2, "", gateway.pk, "app")

    assert str(place) == "2nd in the queue"
    numbers = [1, 3, 4, 11, 12, 13, 21, 102, 112]
    ordinals = [Place(number, "", gateway.pk, "app").ordinal for number in numbers]
    assert ordinals == ["1st", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "112th"]


def test_places_of_many_clusters_cost_one_query(
    gateway: PrivateCloudGateway, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    operations = [deploy(gateway, f"app-{number}") for number in range(1, 7)]
    wanted = [operation.subject_id for operation in operations]

    with django_assert_num_queries(1):
        places = places_of(wanted)

    assert [(place.cluster_name, place.number) for place in places.values()] == [
        ("app-4", 1),
        ("app-5", 2),
        ("app-6", 3),
    ]
    assert lines_of([gateway.pk]) == {gateway.pk: list(places.values())}
    assert places_of([]) == {}


def test_all_wait_while_the_gateway_is_upgraded(gateway: PrivateCloudGateway) -> None:
    gateway.upgrading_to = make_release("1.1.0")
    gateway.save()

    operations = [deploy(gateway, "app-1"), deploy(gateway, "app-2")]
    release_waiting()

    assert [operation.reason for operation in operations] == [
        "The gateway dc-east is being upgraded to 1.1.0."
    ] * 2
    assert set(states(gateway).values()) == {OperationState.QUEUED}


def test_queue_goes_on_when_the_upgrade_is_over(gateway: PrivateCloudGateway) -> None:
    PrivateCloudGateway.objects.update(upgrading_to=make_release("1.1.0"))
    for number in range(1, 6):
        deploy(gateway, f"app-{number}")
    PrivateCloudGateway.objects.update(upgrading_to=None)

    release_waiting()

    assert list(states(gateway).values()) == ["Running"] * 3 + ["Queued"] * 2
    reason = Operation.objects.get(subject_name="app-5").reason
    assert reason == "The gateway dc-east works on 3 clusters at once."


def test_open_pages_hear_of_new_places(
    gateway: PrivateCloudGateway,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operations = [deploy(gateway, f"app-{number}") for number in range(1, 6)]
    told: list[Change] = []
    monkeypatch.setattr(
        "palette_portal.orchestration.actions.announce", lambda *changes: told.extend(changes)
    )

    with django_capture_on_commit_callbacks(execute=True):
        cancel_operation(operations[0], by=None)

    whole = {(change.subject_kind, change.subject_id) for change in told if change.step_id is None}
    assert ("gateway", gateway.pk) in whole
    assert {("cluster", operation.subject_id) for operation in operations[3:]} <= whole


@pytest.mark.django_db(transaction=True)
def test_releases_at_the_same_time_never_exceed_the_limit(settings: Any) -> None:
    settings.ORCHESTRATION_ENDINGS = []
    gateway = make_gateway(tenant=make_tenant(), size=1, state=GatewayState.RUNNING)
    operations = [deploy(gateway, f"app-{number}") for number in range(1, 12)]
    for operation in operations[:3]:
        cancel_operation(operation, by=None)

    started = at_once(*[partial(release_queue, gateway.pk)] * 8)

    assert sum(started) == 3
    assert list(states(gateway).values()) == ["Cancelled"] * 3 + ["Running"] * 3 + ["Queued"] * 5


@pytest.mark.django_db(transaction=True)
def test_deployments_at_the_same_time_never_exceed_the_limit() -> None:
    gateway = make_gateway(tenant=make_tenant(), size=1, state=GatewayState.RUNNING)
    make_project()

    begun = at_once(*(partial(deploy, gateway, f"app-{number}") for number in range(8)))

    assert sorted(operation.state for operation in begun) == ["Queued"] * 5 + ["Running"] * 3


def test_details_and_list_show_reason_and_place(client: Client, gateway: PrivateCloudGateway) -> None:
    client.force_login(bao())
    operations = [deploy(gateway, f"app-{number}") for number in range(1, 6)]

    details = client.get(f"/clusters/{operations[4].subject_id}/").content.decode()
    rows = client.get("/clusters/").content.decode()

    assert "2nd in the queue" in details
    assert "The gateway dc-east works on 3 clusters at once." in details
    assert rows.count("in the queue") == 2
    assert 'title="The gateway dc-east works on 3 clusters at once."' in rows


def test_open_details_show_the_new_place(gateway: PrivateCloudGateway) -> None:
    editor = bao()
    operations = [deploy(gateway, f"app-{number}") for number in range(1, 6)]
    page = ClusterChannel().open(editor, {"cluster_id": str(operations[4].subject_id)}, {})
    rows = ClusterListChannel().open(editor, {}, {"rows": operations[4].subject_id.hex})
    assert page is not None and rows is not None
    assert "2nd in the queue" in page.snapshot()[0].html

    cancel_operation(operations[0], by=None)
    release_queue(gateway.pk)

    change = Change(gateway.tenant_id, "cluster", operations[4].subject_id)
    assert "1st in the queue" in page.changed(change)[0].html
    assert "1st in the queue" in rows.changed(change)[0].html


def test_widget_shows_who_waits_and_why(client: Client, gateway: PrivateCloudGateway) -> None:
    client.force_login(amelia())
    for number in range(1, 9):
        deploy(gateway, f"app-{number}")

    page = client.get("/gateways/").content.decode()

    assert "5 in the queue." in page
    assert "The gateway dc-east works on 3 clusters at once." in page
    assert ">app-4</a>" in page and ">app-6</a>" in page and ">app-7</a>" not in page
    assert "and 2 more" in page
