"""The guard of a worker process, with a short lease and without the kill."""

import threading
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from palette_portal.orchestration import claims
from palette_portal.orchestration.claims import claim_step, release_steps_of_the_dead
from palette_portal.orchestration.lease import LeaseGuard
from palette_portal.orchestration.models import Step
from palette_portal.orchestration.owners import this_process
from tests.engine import step_of
from tests.integration.orchestration.acts import spec, start

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def step(settings):
    settings.ORCHESTRATION_LEASE_SECONDS = 0.5
    return step_of(start(spec("a")), "a")


@pytest.fixture
def given_up():
    return threading.Event()


@pytest.fixture
def guard(given_up):
    guard = LeaseGuard(give_up=given_up.set)
    yield guard
    guard.stop()


def test_guard_renews_the_lease_of_a_long_step(step, guard, given_up):
    claim = claim_step(step.pk)
    first_end = claim.good_until

    with guard(claim):
        while claim.good_until < first_end + 0.5:
            assert not given_up.wait(0.02)

    assert Step.objects.held().get() == step
    assert claim_step(step.pk) is None


def test_guard_gives_up_when_another_worker_has_the_step(step, guard, given_up):
    claim = claim_step(step.pk)

    with guard(claim):
        Step.objects.update(lease_until=Now() - timedelta(seconds=1))
        assert claim_step(step.pk)
        assert given_up.wait(5)


def test_guard_gives_up_before_the_lease_ends_when_the_database_hangs(step, guard, given_up, monkeypatch):
    hang = threading.Event()
    monkeypatch.setattr(claims.Claim, "renew", lambda claim: hang.wait(10))
    claim = claim_step(step.pk)

    with guard(claim):
        assert given_up.wait(5)
        assert claims.boot_clock() < claim.good_until
    hang.set()


def test_guard_is_content_with_a_step_that_has_just_ended(step, guard, given_up):
    claim = claim_step(step.pk)

    with guard(claim):
        claim.write(state="Done", lease_until=None)
        assert not given_up.wait(0.3)


def test_steps_of_a_dead_process_are_released_and_others_are_not(step):
    claim_step(step.pk)
    assert release_steps_of_the_dead() == []

    machine, _, _ = this_process().split("/")
    Step.objects.update(owner=f"{machine}/4194999/1")

    assert release_steps_of_the_dead() == [step.pk]
    assert claim_step(step.pk)
