"""Add-on profiles in the wizard: chosen, put in order, refused where they do not go together, deployed."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from clusters.deploy.drafts import PARAMETERS, PROFILE, chosen_add_ons, is_complete, open_reason, variables_of
from clusters.profiles.models import ProfileVersion
from tests.factories import carla, make_project
from tests.integration.deploy.scene import IMAGE
from tests.integration.deploy.test_review import export
from tests.integration.deploy.walk import (
    HTMX,
    METALLB,
    DeployWalk,
    errors_of,
    make_add_on,
    make_profile,
    text_of,
)

RANGE = {"name": "RANGE", "required": True, "display_name": "Range"}
TOKEN = {"name": "token", "masked": True, "required": True}
ADDRESSES = {"metallb": 'addresses: ["{{.spectro.var.RANGE}}"]\n'}
SECRET = "s3cret-T0ken-value"


def ids(*versions: ProfileVersion) -> list[str]:
    return [str(version.pk) for version in versions]


def load_balancer(walk: DeployWalk, name: str = "load-balancer", **fields: Any) -> ProfileVersion:
    options = {"variables": [RANGE], "values": ADDRESSES, **fields}
    return make_add_on(walk.project, name, METALLB, **options)


def variable(version: ProfileVersion, name: str) -> str:
    return f"var_{version.profile_id.hex}-{name}"


# Cluster Profile


def test_page_offers_published_add_on_profiles_of_tenant_and_project(walk: DeployWalk) -> None:
    make_add_on(walk.project)
    make_add_on(walk.project, "ours", owner=walk.project)
    make_add_on(walk.project, "draft", is_published=False)
    make_add_on(walk.project, "theirs", owner=make_project(name="billing"))
    walk.to_profile()

    page = text_of(walk.get("profile"))

    assert "monitoring 1.0.0</option>" in page and "ours 1.0.0</option>" in page
    assert "draft 1.0.0" not in page and "theirs 1.0.0" not in page


def test_page_without_add_on_profiles_says_so(walk: DeployWalk) -> None:
    walk.to_profile()

    assert "None is published in the tenant or in this project." in text_of(walk.get("profile"))


def test_buttons_work_without_javascript_and_keep_what_was_chosen(walk: DeployWalk) -> None:
    one, two = make_add_on(walk.project), load_balancer(walk)
    walk.to_profile()

    attached = walk.post("profile", walk.chosen(one, more=str(two.pk)), then="attach")
    moved = walk.post("profile", walk.chosen(one, two), then="up-1")
    detached = walk.post("profile", walk.chosen(one, two), then="detach-0")

    assert [response.status_code for response in (attached, moved, detached)] == [200] * 3
    assert "<html" in text_of(attached) and "checked" in text_of(attached)
    assert rows_of(text_of(attached)) == ["monitoring", "load-balancer"]
    assert rows_of(text_of(moved)) == ["load-balancer", "monitoring"]
    assert rows_of(text_of(detached)) == ["load-balancer"]
    assert PROFILE not in walk.draft.pages, "nothing is accepted by that"


def rows_of(page: str) -> list[str]:
    return re.findall(r'class="add-on-text">.*?<b>(.*?)</b>', page, re.DOTALL)


def test_part_is_the_same_as_the_page(walk: DeployWalk) -> None:
    one = make_add_on(walk.project)
    walk.to_profile()

    part = text_of(walk.post("profile", walk.chosen(more=str(one.pk)), then="attach", headers=HTMX))

    assert "<html" not in part and rows_of(part) == ["monitoring"]


def test_chosen_add_ons_are_kept_in_order(walk: DeployWalk) -> None:
    one, two = make_add_on(walk.project), load_balancer(walk)
    walk.to_profile()

    walk.accept("profile", walk.chosen(two, one))

    assert chosen_add_ons(walk.draft) == ids(two, one)
    assert rows_of(text_of(walk.get("profile"))) == ["load-balancer", "monitoring"]
    assert "load-balancer 1.0.0" in text_of(walk.get("parameters"))


def test_add_ons_are_kept_when_the_person_leaves(walk: DeployWalk) -> None:
    one = make_add_on(walk.project)
    walk.to_profile()

    walk.post("profile", walk.chosen(one), then="exit")

    assert chosen_add_ons(walk.draft) == ids(one) and not is_complete(walk.draft, PROFILE)
    assert rows_of(text_of(walk.get("profile"))) == ["monitoring"]


def test_page_that_was_only_looked_at_stays_complete(walk: DeployWalk) -> None:
    one = make_add_on(walk.project)
    walk.to_profile()
    walk.accept("profile", walk.chosen(one))

    walk.post("profile", walk.chosen(one), then="exit")

    assert is_complete(walk.draft, PROFILE)


def test_pack_that_two_profiles_have_is_refused_at_the_field(walk: DeployWalk) -> None:
    one, two = make_add_on(walk.project), make_add_on(walk.project, "more-metrics")
    walk.to_profile()

    response = walk.post("profile", walk.chosen(one, two))

    assert response.status_code == 422
    said = errors_of(response)["add_ons"]
    assert said.startswith("Metrics Server is in monitoring 1.0.0 and in more-metrics 1.0.0,")


def test_profile_twice_is_refused(walk: DeployWalk) -> None:
    old, new = make_add_on(walk.project), make_add_on(walk.project, version="1.1.0")
    walk.to_profile()

    response = walk.post("profile", walk.chosen(old, new))

    assert response.status_code == 422
    assert errors_of(response)["add_ons"] == "monitoring is there twice. Take one of them away."


def test_pack_that_the_portal_does_not_know_is_refused(walk: DeployWalk) -> None:
    lost = make_add_on(walk.project, "old", ("helm-dashboard", "0.1.0"))
    walk.to_profile()

    response = walk.post("profile", walk.chosen(lost))

    assert "The catalogue has no pack helm-dashboard 0.1.0." in errors_of(response)["add_ons"]


@pytest.mark.parametrize("kind", ["draft", "theirs", "full", "nonsense"])
def test_version_that_may_not_be_used_is_refused(walk: DeployWalk, kind: str) -> None:
    wrong = {
        "draft": lambda: str(make_add_on(walk.project, is_published=False).pk),
        "theirs": lambda: str(make_add_on(walk.project, owner=make_project(name="billing")).pk),
        "full": lambda: str(make_profile(walk.project, "another").pk),
        "nonsense": lambda: "nonsense",
    }[kind]()
    walk.to_profile()

    response = walk.post("profile", {"version": str(walk.profile.pk), "add_on": [wrong]})

    assert response.status_code == 422
    assert "cannot be used any more" in errors_of(response)["add_ons"]
    assert PROFILE not in walk.draft.pages or not is_complete(walk.draft, PROFILE)


def test_other_add_ons_reopen_the_parameters(walk: DeployWalk) -> None:
    one, two = make_add_on(walk.project), load_balancer(walk)
    walk.add_ons = [one]
    walk.to_placement()

    walk.accept("profile", walk.chosen(one, two))

    assert open_reason(walk.draft, PARAMETERS).startswith("The add-on profiles changed.")


def test_another_order_reopens_nothing(walk: DeployWalk) -> None:
    walk.add_ons = [make_add_on(walk.project), make_add_on(walk.project, "other", METALLB)]
    walk.to_placement()

    walk.accept("profile", walk.chosen(*reversed(walk.add_ons)))

    assert is_complete(walk.draft, PARAMETERS)
    assert chosen_add_ons(walk.draft) == ids(*reversed(walk.add_ons))


def test_add_on_that_was_deleted_is_said_and_chosen_anew(walk: DeployWalk) -> None:
    walk.add_ons = [make_add_on(walk.project)]
    walk.to_placement()
    ProfileVersion.objects.get(pk=walk.add_ons[0].pk).profile.delete()

    parameters, page = walk.get("parameters"), text_of(walk.get("profile"))

    assert parameters.status_code == 409 and "was deleted" in text_of(parameters)
    assert "cannot be used any more" in page and rows_of(page) == []


@pytest.mark.parametrize(("page", "queries"), [("profile", 14), ("parameters", 13), ("review", 26)])
def test_pages_ask_as_little_with_many_add_ons(
    walk: DeployWalk, page: str, queries: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    walk.add_ons = [make_add_on(walk.project), make_add_on(walk.project, "lb", METALLB)]
    for number in range(8):
        make_add_on(walk.project, f"add-on-{number}")
    walk.to_review()

    with django_assert_max_num_queries(queries):
        walk.get(page)


# Parameters


def test_parameters_are_grouped_by_profile(walk: DeployWalk) -> None:
    walk.add_ons = [load_balancer(walk)]
    walk.to_parameters()

    page = text_of(walk.get("parameters"))

    places = [
        page.index(words)
        for words in (
            "Pack parameters of vSphere starter 1.0.0",
            "Variables of load-balancer 1.0.0",
            "Pack parameters of load-balancer 1.0.0",
            'id="pack-metallb"',
        )
    ]
    assert places == sorted(places)


def test_without_add_ons_the_page_names_no_profile_twice(walk: DeployWalk) -> None:
    walk.to_parameters()

    assert "Pack parameters</h2>" in text_of(walk.get("parameters"))


def test_values_of_an_add_on_are_overridden_and_compared(walk: DeployWalk) -> None:
    walk.add_ons = [make_add_on(walk.project, values={"metrics-server": "replicas: 2\n"})]
    walk.to_parameters()

    walk.accept("parameters", {"values_metrics-server": "replicas: 3\n"})

    page = text_of(walk.get("parameters"))
    assert "Against the profile" in page
    assert "replicas: 2" in page and "replicas: 3" in page
    refused = walk.post("parameters", {"values_metrics-server": "replicas: many\n"})
    assert refused.status_code == 422 and "Line 1" in text_of(refused)


def test_variables_of_the_same_name_do_not_disturb_each_other(walk: DeployWalk) -> None:
    walk.profile = make_profile(
        walk.project,
        version="2.0.0",
        variables=[{**RANGE, "regex": "[0-9./]+"}],
        values={**IMAGE, "kubernetes": "networking:\n  podCidr: '{{.spectro.var.RANGE}}'\n"},
    )
    lb = load_balancer(walk)
    walk.add_ons = [lb]
    walk.to_parameters()

    refused = walk.post("parameters", {"var_RANGE": "172.20.0.0/16", variable(lb, "RANGE"): ""})
    walk.accept("parameters", {"var_RANGE": "172.20.0.0/16", variable(lb, "RANGE"): "10.1.0.0/28"})

    assert errors_of(refused) == {variable(lb, "RANGE"): "Range is needed."}
    assert variables_of(walk.draft) == {
        "RANGE": "172.20.0.0/16",
        variable(lb, "RANGE").removeprefix("var_"): "10.1.0.0/28",
    }


def test_masked_variable_of_an_add_on_is_never_returned(walk: DeployWalk) -> None:
    secret = make_add_on(
        walk.project, variables=[TOKEN], values={"metrics-server": 'args: ["--t={{.spectro.var.token}}"]\n'}
    )
    walk.add_ons, walk.variables = [secret], {variable(secret, "token").removeprefix("var_"): SECRET}
    walk.to_review()

    pages = [text_of(walk.get(page)) for page in ("profile", "parameters", "review")]

    assert SECRET not in json.dumps(walk.draft.pages)
    assert all(SECRET not in page for page in (*pages, json.dumps(export(walk))))
    assert "DEPLOY_VAR_1_token=" in pages[2]
    assert export(walk)["parameters"]["secret_variables"] == ["1_token"]


def test_stranger_finds_no_page_of_the_draft(walk: DeployWalk) -> None:
    walk.to_profile()
    client = Client()
    client.force_login(carla())

    assert client.post(walk.url("profile"), {"then": "attach"}).status_code == 404
