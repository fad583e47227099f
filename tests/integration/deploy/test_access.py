"""Who may deploy where, by which method, and where a page leads that is not its turn yet."""

from uuid import uuid4

import pytest
from django.test import Client

from clusters.models import DeployDraft
from palette_portal.tenants.roles import Role
from tests.factories import amelia, bao, carla, make_project, make_user
from tests.integration.deploy.scene import choose_project
from tests.integration.deploy.walk import BASICS, PAGES, text_of

REST = (
    "",
    *(f"{page}/" for page in PAGES),
    "placement/fields/",
    "review/export/",
)
POSTS = ("discard/", "review/check/", "review/deploy/", *(f"{page}/" for page in PAGES))


@pytest.fixture
def draft(db: None) -> DeployDraft:
    return DeployDraft.objects.create(
        project=make_project(), pages={"basics": {"values": {**BASICS, "tags": []}, "open": ""}}
    )


def path(draft: DeployDraft, rest: str) -> str:
    return f"/clusters/deploy/{draft.pk}/{rest}"


@pytest.mark.parametrize("rest", REST)
def test_draft_of_another_tenant_is_not_found(client: Client, draft: DeployDraft, rest: str) -> None:
    client.force_login(carla())

    assert client.get(path(draft, rest)).status_code == 404


@pytest.mark.parametrize("rest", POSTS)
def test_draft_of_another_tenant_cannot_be_changed(client: Client, draft: DeployDraft, rest: str) -> None:
    client.force_login(carla())

    assert client.post(path(draft, rest)).status_code == 404
    assert DeployDraft.objects.count() == 1


def test_draft_of_another_project_is_not_found(client: Client, draft: DeployDraft) -> None:
    client.force_login(make_user("dara", Role.PROJECT_ADMIN, project=make_project(name="billing")))

    assert client.get(path(draft, "basics/")).status_code == 404


@pytest.mark.parametrize("rest", REST)
def test_draft_for_people_who_only_look_is_denied(client: Client, draft: DeployDraft, rest: str) -> None:
    for user in (
        make_user("dara", Role.PROJECT_VIEWER, project=draft.project),
        make_user("emil", Role.SUPPORT),
    ):
        client.force_login(user)

        assert client.get(path(draft, rest)).status_code == 403


@pytest.mark.parametrize("rest", POSTS)
def test_draft_for_people_who_only_look_cannot_be_changed(
    client: Client, draft: DeployDraft, rest: str
) -> None:
    client.force_login(make_user("dara", Role.PROJECT_VIEWER, project=draft.project))

    assert client.post(path(draft, rest)).status_code == 403
    assert DeployDraft.objects.count() == 1


@pytest.mark.parametrize("rest", ["", "basics/"])
def test_draft_without_signing_in_leads_to_it(client: Client, draft: DeployDraft, rest: str) -> None:
    response = client.get(path(draft, rest))

    assert response.status_code == 302 and response.url.startswith("/account/login/")


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("post", ""),
        ("get", "discard/"),
        ("get", "review/deploy/"),
        ("get", "review/check/"),
        ("post", "review/export/"),
        ("post", "placement/fields/"),
        ("put", "basics/"),
    ],
)
def test_draft_by_a_wrong_method_is_refused(
    client: Client, draft: DeployDraft, method: str, rest: str
) -> None:
    client.force_login(bao())

    assert getattr(client, method)(path(draft, rest)).status_code == 405


def test_unknown_draft_or_page_is_not_found(client: Client, draft: DeployDraft) -> None:
    client.force_login(bao())

    assert client.get(f"/clusters/deploy/{uuid4()}/basics/").status_code == 404
    assert client.get(path(draft, "colours/")).status_code == 404


@pytest.mark.parametrize("page", PAGES[2:])
def test_later_page_opened_directly_leads_to_the_first_incomplete_one(
    client: Client, draft: DeployDraft, page: str
) -> None:
    client.force_login(bao())

    response = client.get(path(draft, f"{page}/"), follow=True)

    assert response.redirect_chain == [(path(draft, "profile/"), 302)]
    assert "First complete the page Cluster Profile." in text_of(response)


@pytest.mark.parametrize(
    ("method", "rest"), [("get", "placement/fields/"), ("get", "review/export/"), ("post", "review/check/")]
)
def test_part_of_a_page_not_reached_yet_leads_back(
    client: Client, draft: DeployDraft, method: str, rest: str
) -> None:
    client.force_login(bao())

    response = getattr(client, method)(path(draft, rest), headers={"HX-Request": "true"})

    assert response["HX-Redirect"] == path(draft, "profile/")


def test_deploy_of_an_incomplete_draft_says_which_page_is_missing(client: Client, draft: DeployDraft) -> None:
    client.force_login(bao())

    response = client.post(path(draft, "review/deploy/"), follow=True)

    assert response.redirect_chain == [(path(draft, "profile/"), 302)]
    assert "First complete the page Cluster Profile." in text_of(response)


def test_start_is_denied_to_people_who_may_deploy_nowhere(client: Client, db: None) -> None:
    client.force_login(make_user("emil", Role.SUPPORT))

    assert client.get("/clusters/deploy/").status_code == 403


def test_start_in_a_project_without_the_right_is_denied(client: Client, db: None) -> None:
    user = make_user("dara", Role.PROJECT_VIEWER, project=make_project())
    client.force_login(user)
    choose_project(client, str(make_project().pk))

    assert client.get("/clusters/deploy/").status_code == 403
    assert client.post("/clusters/deploy/", BASICS).status_code == 403


def test_start_in_tenant_scope_asks_for_the_project(client: Client, db: None) -> None:
    project, _other = make_project(), make_project(name="billing")
    client.force_login(amelia())

    unchosen = client.post("/clusters/deploy/", BASICS)
    chosen = client.post("/clusters/deploy/", {**BASICS, "project_id": str(project.pk)})

    assert unchosen.status_code == 422 and "Select a project." in text_of(unchosen)
    assert chosen.status_code == 302
    assert DeployDraft.objects.get().project == project


def test_start_takes_no_project_of_another_tenant(client: Client, db: None) -> None:
    make_project()
    client.force_login(amelia())

    response = client.post(
        "/clusters/deploy/", {**BASICS, "project_id": str(make_project(carla().tenant).pk)}
    )

    assert response.status_code == 422
    assert not DeployDraft.objects.exists()


def test_start_of_somebody_with_one_project_has_it_chosen(client: Client, db: None) -> None:
    user = bao()
    client.force_login(user)

    page = text_of(client.get("/clusters/deploy/"))

    assert f'value="{make_project().pk}" selected' in page
