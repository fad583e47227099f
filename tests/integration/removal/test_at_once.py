"""Several people, and workers meanwhile: one removal, no deadlock, nothing left."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from gateways.actions.delete import delete_gateway
from gateways.actions.reset import reset_gateway
from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.http import Conflict
from palette_portal.orchestration.engine import run_next_step
from palette_portal.orchestration.models import Operation, OperationKind, StepState
from palette_portal.tenants.models import User
from tests.factories import amelia
from tests.integration.provisioning.stage import Stage
from tests.integration.removal.scene import assert_nothing_left, finish, follow_latest, provision

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def half_way(transactional_db: None, stage: Stage) -> Stage:
    provision(stage, nodes=3)
    stage.go_on_until(lambda: stage.machine_step("configured", index=2).state == StepState.DONE)
    return stage


def attempt(action: Callable[..., object], gateway: PrivateCloudGateway, by: User) -> str:
    try:
        action(gateway=gateway, by=by)
    except Conflict:
        return "refused"
    finally:
        connection.close()
    return action.__name__


def work() -> str:
    try:
        for _ in range(30):
            run_next_step()
    finally:
        connection.close()
    return "worked"


def at_once(*deeds: Callable[[], str]) -> list[str]:
    outcomes: list[str] = []
    threads = [threading.Thread(target=lambda deed=deed: outcomes.append(deed())) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == len(deeds), "one of them failed or hangs"
    return sorted(outcomes)


def test_reset_from_four_tabs_while_workers_work(half_way: Stage) -> None:
    gateway, by = half_way.gateway, amelia()

    outcomes = at_once(*[lambda: attempt(reset_gateway, gateway, by)] * 4, work, work)

    assert outcomes == ["refused"] * 3 + ["reset_gateway", "worked", "worked"]
    assert Operation.objects.filter(kind=OperationKind.RESET).count() == 1
    follow_latest(half_way)
    finish(half_way)
    assert_nothing_left(half_way)


def test_reset_and_delete_at_once_while_workers_work(half_way: Stage) -> None:
    gateway, by = half_way.gateway, amelia()

    outcomes = at_once(
        lambda: attempt(reset_gateway, gateway, by), lambda: attempt(delete_gateway, gateway, by), work, work
    )

    assert "delete_gateway" in outcomes
    assert Operation.objects.active().get().kind == OperationKind.DELETE
    follow_latest(half_way)
    finish(half_way)
    assert_nothing_left(half_way)
    gateway.refresh_from_db()
    assert gateway.state == GatewayState.DELETED
