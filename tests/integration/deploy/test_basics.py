"""The first page and the drafts that it lists."""

from datetime import timedelta

import pytest
from django.utils import timezone

from clusters.deploy.drafts import BASICS, PLACEMENT, is_complete, open_reason, page_values
from clusters.models import Cluster, DeployDraft
from clusters.states import ClusterState
from tests.factories import make_cluster
from tests.integration.deploy.walk import BASICS as SENT
from tests.integration.deploy.walk import HTMX, DeployWalk, errors_of, text_of


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "Fill in Name."),
        ("Payments", "Use lower-case letters: payments."),
        ("Pay_ments", "such as pay-ments."),
        ("-payments", "begins and ends with a letter or a digit"),
        ("payments-", "begins and ends with a letter or a digit"),
        ("pay_ments.prod", "not “.”, “_”"),
        ("p" * 64, "at most 63"),
    ],
)
def test_name_that_kubernetes_would_refuse_is_refused_at_the_field(
    walk: DeployWalk, name: str, said: str
) -> None:
    response = walk.start({**SENT, "name": name})

    assert response.status_code == 422
    assert said in errors_of(response)["name"]
    assert not DeployDraft.objects.exists()


def test_name_of_another_cluster_of_the_project_is_refused(walk: DeployWalk) -> None:
    make_cluster(walk.gateway, project=walk.project, name="payments-prod", cloud_account=walk.account)

    response = walk.start(SENT)

    assert "has a cluster payments-prod already" in errors_of(response)["name"]


def test_name_of_a_deleted_cluster_is_free(walk: DeployWalk) -> None:
    make_cluster(
        walk.gateway,
        project=walk.project,
        name="payments-prod",
        cloud_account=walk.account,
        state=ClusterState.DELETED,
        deleted_at=timezone.now(),
    )

    assert walk.start(SENT).status_code == 302


@pytest.mark.parametrize(
    ("tags", "said"),
    [("a:b:c", "is not a tag"), ("env:prod, env:test", "“env” is there twice"), ("x" * 64, "is not a tag")],
)
def test_tags_that_are_none_are_refused(walk: DeployWalk, tags: str, said: str) -> None:
    assert said in errors_of(walk.start({**SENT, "tags": tags}))["tags"]


def test_field_is_checked_while_the_others_are_empty(walk: DeployWalk) -> None:
    response = walk.client.post("/clusters/deploy/?check=name", {"name": "Bad Name"}, headers=HTMX)

    assert response.status_code == 200
    assert text_of(response).strip().startswith('<div class="field invalid" id="id_name_field">')
    assert not DeployDraft.objects.exists()


def test_unknown_field_has_no_check(walk: DeployWalk) -> None:
    assert walk.client.post("/clusters/deploy/?check=colour", {}, headers=HTMX).status_code == 404


def test_exit_keeps_what_was_typed_and_lists_the_draft(walk: DeployWalk) -> None:
    response = walk.start({**SENT, "name": "Half Done"}, then="exit")

    assert response.url == "/clusters/deploy/"
    assert page_values(walk.draft, BASICS)["name"] == "Half Done"
    assert not is_complete(walk.draft, BASICS)
    page = text_of(walk.client.get("/clusters/deploy/"))
    assert "Half Done" in page and f"/clusters/deploy/{walk.draft.pk}/" in page


def test_draft_is_continued_where_it_was_left(walk: DeployWalk) -> None:
    walk.to_parameters()

    assert walk.client.get(f"/clusters/deploy/{walk.draft.pk}/").url == walk.url("parameters")


def test_draft_is_discarded(walk: DeployWalk) -> None:
    walk.to_parameters()

    response = walk.client.post(f"/clusters/deploy/{walk.draft.pk}/discard/", follow=True)

    assert "The draft of payments-prod is discarded." in text_of(response)
    assert not DeployDraft.objects.exists()


def test_drafts_of_other_projects_are_not_listed(walk: DeployWalk) -> None:
    from tests.factories import make_project

    foreign = DeployDraft.objects.create(project=make_project(name="billing"))

    assert str(foreign.pk) not in text_of(walk.client.get("/clusters/deploy/"))


def test_back_from_a_page_that_was_only_looked_at_leaves_it_complete(walk: DeployWalk) -> None:
    walk.to_review()
    before = DeployDraft.objects.get().updated_at - timedelta(0)

    response = walk.post("pools", walk.pools(), then="back")

    assert response.url == walk.url("placement")
    assert is_complete(walk.draft, "pools")
    assert walk.draft.updated_at == before


def test_another_name_reopens_the_placement(walk: DeployWalk) -> None:
    walk.to_review()

    walk.accept("basics", {**SENT, "name": "payments-test"})

    assert "The name changed" in open_reason(walk.draft, PLACEMENT)
    assert walk.get("review").url == walk.url("placement")
    assert "The name changed" in text_of(walk.get("placement"))
    assert not Cluster.objects.exists()
