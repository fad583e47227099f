import re

import pytest

from clusters.live import ClusterChannel, ClusterListChannel
from clusters.models import Cluster
from clusters.states import ClusterState
from palette_portal.orchestration.actions import cancel_operation, start_operation
from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.models import OperationKind, Step
from palette_portal.orchestration.steps import StepSpec
from palette_portal.orchestration.stream import Subscription
from palette_portal.tenants.models import User
from tests.factories import amelia, bao, carla, make_cluster, make_machine, make_machine_pool, make_project

pytestmark = pytest.mark.django_db


def test_stream_shares_a_rendering_whatever_else_is_in_the_query() -> None:
    user, cluster = amelia(), make_cluster()
    path = {"cluster_id": str(cluster.pk)}
    queries = [{}, {"tab": "overview"}, {"tab": "no-such-tab"}, {"tab": "x" * 500, "more": "y"}]

    opened = [ClusterChannel().open(user, path, query) for query in queries]

    assert len({subscription.key for subscription in opened if subscription}) == 1


def test_stream_of_a_very_long_search_text_takes_its_beginning() -> None:
    user, cluster = amelia(), make_cluster()
    path = {"cluster_id": str(cluster.pk)}

    long, longer = (
        ClusterChannel().open(user, path, {"tab": "events", "q": "x" * length}) for length in (100, 5000)
    )

    assert long and longer
    assert long.key == longer.key


def listed(user: User, *rows: object) -> Subscription | None:
    return ClusterListChannel().open(user, {}, {"rows": ",".join(map(str, rows))})


def test_list_streams_the_rows_that_are_shown_and_no_others() -> None:
    user, shown, other = amelia(), make_cluster(), make_cluster()
    change = Change(shown.tenant_id, "cluster", shown.pk)

    subscription = listed(user, shown.pk.hex)

    assert subscription
    assert subscription.wants(change)
    assert not subscription.wants(Change(other.tenant_id, "cluster", other.pk))
    (row,) = subscription.snapshot()
    assert (row.event, row.id) == ("patch", None)
    assert f'<tr role="row" id="row-{shown.pk.hex}" hx-swap-oob="true">' in row.html
    Cluster.objects.filter(pk=shown.pk).update(state=ClusterState.RUNNING)
    assert "Running" in subscription.changed(change)[0].html


def test_list_streams_nothing_that_the_person_may_not_see() -> None:
    own, foreign = make_cluster(project=make_project()), make_cluster(project=make_project(name="platform"))
    user = bao()

    subscription = listed(user, own.pk.hex, foreign.pk.hex)

    assert subscription and subscription.subjects == {("cluster", own.pk)}
    assert listed(user, foreign.pk.hex) is None
    assert listed(carla(), own.pk.hex) is None


def test_list_stream_ignores_nonsense_and_more_rows_than_a_page() -> None:
    user, cluster = amelia(), make_cluster()

    assert listed(user, "x", "", cluster.pk, "%00") is None
    assert listed(user, *["0" * 32] * 50, cluster.pk.hex) is None
    assert listed(user, "x", cluster.pk.hex)


@pytest.mark.parametrize("tab", ["overview", "nodes", "events", "settings"])
def test_every_tab_streams_its_parts(tab: str) -> None:
    cluster = make_cluster(project=make_project(), state=ClusterState.RUNNING)
    make_machine(make_machine_pool(cluster))
    subscription = ClusterChannel().open(amelia(), {"cluster_id": str(cluster.pk)}, {"tab": tab})
    parts = {
        "overview": ["flow", "packs", "summary", "node-list"],
        "nodes": ["node-table"],
    }

    assert subscription
    html = "".join(message.html for message in subscription.snapshot())

    ids = set(re.findall(r'id="([\w-]+)"[^>]* hx-swap-oob="true"', html))
    assert ids >= {"cluster-state", "cluster-actions", *parts.get(tab, [])}
    assert ("summary" in ids, "node-table" in ids) == (tab == "overview", tab == "nodes")


def test_steps_stand_first_only_while_they_run() -> None:
    cluster = make_cluster(state=ClusterState.RUNNING)
    spec = StepSpec("one", "One", "no.function")
    operation = start_operation(kind=OperationKind.UPDATE, subject=cluster.subject, steps=[spec], by=None)
    subscription = ClusterChannel().open(amelia(), {"cluster_id": str(cluster.pk)}, {})
    assert subscription

    def order() -> list[str]:
        html = "".join(message.html for message in subscription.changed(change))
        return re.findall(r'id="(steps|conditions)"', html)

    change = Change(cluster.tenant_id, "cluster", cluster.pk)
    assert order() == ["steps", "conditions"]
    cancel_operation(operation, by=None)
    assert order() == ["conditions", "steps"]


def test_streams_of_people_with_other_rights_are_apart() -> None:
    cluster = make_cluster(project=make_project(), state=ClusterState.RUNNING)
    path = {"cluster_id": str(cluster.pk)}

    admins, editors = (ClusterChannel().open(user, path, {}) for user in (amelia(), bao()))

    assert admins and editors
    assert admins.key != editors.key
    assert "to download kubeconfig files" in "".join(message.html for message in editors.snapshot())
    assert "to download kubeconfig files" not in "".join(message.html for message in admins.snapshot())


def test_step_that_an_earlier_operation_still_does_is_not_drawn() -> None:
    cluster = make_cluster(state=ClusterState.RUNNING)
    spec = StepSpec("one", "One", "no.function")
    earlier = start_operation(kind=OperationKind.UPGRADE, subject=cluster.subject, steps=[spec], by=None)
    cancel_operation(earlier, by=None)
    latest = start_operation(kind=OperationKind.ROLL_BACK, subject=cluster.subject, steps=[spec], by=None)
    page = ClusterChannel().open(amelia(), {"cluster_id": str(cluster.pk)}, {})
    assert page

    def drawn(step: Step) -> str:
        change = Change(cluster.tenant_id, "cluster", cluster.pk, step_id=step.pk)
        return "".join(message.html for message in page.changed(change))

    old, new = earlier.steps.get(), latest.steps.get()
    assert f"step-{old.pk}" not in drawn(old)
    assert f"step-{new.pk}" in drawn(new)
