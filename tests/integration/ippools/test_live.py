"""Pages of IP pools follow by themselves what is claimed and released."""

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from ippools.actions import claim_address, delete_pool, release_addresses
from ippools.live import PoolChannel
from palette_portal.orchestration.actions import start_operation
from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.models import Operation, OperationKind, StepState
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants.roles import Role
from tests.factories import amelia, bao, carla, make_cluster, make_pool, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool():
    return make_pool(name="nodes")


@pytest.fixture
def operation(pool) -> Operation:
    steps = [StepSpec("claim", "Claim", "clusters.steps.preparation.x")]
    return start_operation(
        kind=OperationKind.PROVISION, subject=make_cluster(pool.gateway).subject, steps=steps, by=None
    )


def claim(pool, operation) -> None:
    claim_address(
        pool,
        cluster_id=operation.subject_id,
        owner_kind="machine",
        owner_id=uuid4(),
        owner_name="worker-1",
        purpose="node",
    )


def end_of_step(operation, state=StepState.DONE) -> Change:
    operation.steps.update(state=state)
    step = operation.steps.get()
    return Change(operation.tenant_id, "cluster", operation.subject_id, step_id=step.pk)


def test_list_shows_a_claim_when_its_step_is_done(pool, operation) -> None:
    subscription = PoolChannel().open(amelia(), {}, {})
    claim(pool, operation)

    (message,) = subscription.changed(end_of_step(operation))

    assert 'id="pool-list" hx-swap-oob="true"' in message.html
    assert 'aria-label="1 used' in message.html


def test_page_shows_who_got_an_address_and_that_it_came_back(pool, operation) -> None:
    subscription = PoolChannel().open(amelia(), {}, {"only": str(pool.pk), "show": "used"})
    claim(pool, operation)

    (claimed,) = subscription.changed(end_of_step(operation))
    release_addresses(cluster_id=operation.subject_id)
    (released,) = subscription.changed(end_of_step(operation))

    assert 'id="pool-now" hx-swap-oob="true"' in claimed.html
    assert "worker-1" in claimed.html
    assert "worker-1" not in released.html


def test_page_is_quiet_while_steps_only_wait(pool, operation) -> None:
    other = make_pool(pool.gateway)
    subscription = PoolChannel().open(amelia(), {}, {"only": str(pool.pk)})

    assert subscription.changed(end_of_step(operation, StepState.WAITING)) == []
    assert subscription.changed(Change(pool.tenant_id, "ip-pool", other.pk)) == []
    assert subscription.changed(Change(pool.tenant_id, "gateway", pool.gateway_id)) == []


def test_page_of_a_pool_that_is_deleted_says_so(pool) -> None:
    admin = amelia()
    subscription = PoolChannel().open(admin, {}, {"only": str(pool.pk)})
    change = Change(pool.tenant_id, "ip-pool", pool.pk)

    delete_pool(pool=pool, by=admin)
    (message,) = subscription.changed(change)

    assert "not there any more" in message.html


def test_stream_is_for_those_who_see_pools(pool) -> None:
    query = {"only": str(pool.pk)}
    viewer = make_user("vera", Role.PROJECT_VIEWER, project=make_project())

    assert PoolChannel().open(bao(), {}, query)
    assert PoolChannel().open(make_user("sam", Role.SUPPORT), {}, query)
    assert PoolChannel().open(viewer, {}, query) is None
    assert PoolChannel().open(carla(), {}, query) is None
    assert PoolChannel().open(amelia(), {}, {"only": "nonsense"}) is None


def test_pages_connect_to_their_streams(client: Client, pool) -> None:
    client.force_login(amelia())

    listed = client.get(reverse("ippools:list")).content.decode()
    page = client.get(reverse("ippools:detail", args=[pool.pk]), {"show": "used"}).content.decode()

    assert 'sse-connect="/streams/ippools/"' in listed
    assert f'sse-connect="/streams/ippools/?only={pool.pk}&amp;show=used&amp;page=1"' in page
