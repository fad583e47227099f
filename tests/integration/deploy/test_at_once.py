"""Deploy pressed in two tabs at the same moment."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client

from clusters.deploy.deploying import deploy_draft
from clusters.deploy.drafts import locked
from clusters.models import Cluster, DeployDraft
from palette_portal.orchestration.models import Operation
from palette_portal.vsphere.session import sessions
from tests.integration.deploy.scene import make_walk
from tests.integration.deploy.walk import DeployWalk
from tests.lab.vcsim import Lab


@pytest.fixture
def walk(transactional_db: None, lab: Lab) -> Iterator[DeployWalk]:
    yield make_walk(Client(), lab)
    sessions.close_all()


def test_deploy_at_the_same_moment_makes_one_cluster(
    walk: DeployWalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk.to_review()
    walk.report()
    both_are_there = Barrier(2)

    def lock_together(draft_id: object) -> DeployDraft:
        both_are_there.wait(20)
        return locked(draft_id)

    monkeypatch.setattr("clusters.deploy.deploying.locked", lock_together)
    draft = walk.draft

    def press(_tab: int) -> Cluster:
        try:
            return deploy_draft(draft=DeployDraft.objects.get(pk=draft.pk), by=walk.user)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as tabs:
        first, second = tabs.map(press, range(2))

    assert first == second == Cluster.objects.get()
    assert Operation.objects.of(first.subject).count() == 1
