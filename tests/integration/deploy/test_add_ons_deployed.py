"""The review with add-on profiles, the cluster that is made of them, the command that repeats it."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError

from clusters.deploy.drafts import PROFILE
from clusters.models import Cluster, ClusterAddOn
from clusters.profiles.models import ProfileVersion
from palette_portal.tenants.models import AuditRow
from tests.factories import make_project
from tests.integration.deploy.scene import IMAGE
from tests.integration.deploy.test_add_ons import SECRET, TOKEN, ids, load_balancer, variable
from tests.integration.deploy.test_review import export, repeat
from tests.integration.deploy.walk import METALLB, METRICS, DeployWalk, make_add_on, make_profile, text_of


def ready(walk: DeployWalk) -> tuple[ProfileVersion, ProfileVersion]:
    lb, metrics = load_balancer(walk), make_add_on(walk.project)
    walk.add_ons = [lb, metrics]
    walk.variables = {variable(lb, "RANGE").removeprefix("var_"): "10.1.0.0/28"}
    walk.to_review()
    return lb, metrics


def stack_of(cluster: Cluster) -> list[tuple[str, str]]:
    return [(layer.pack, str(layer.add_on or "")) for layer in cluster.layers.all()]


def test_review_names_add_ons_and_deploying_makes_them(walk: DeployWalk) -> None:
    ready(walk)

    page = text_of(walk.get("review"))
    walk.confirm()

    cluster = Cluster.objects.get()
    assert "load-balancer 1.0.0" in page and "monitoring 1.0.0" in page
    assert [str(add_on) for add_on in cluster.add_ons.all()] == ["load-balancer 1.0.0", "monitoring 1.0.0"]
    assert stack_of(cluster)[4:] == [
        ("metallb", "load-balancer 1.0.0"),
        ("metrics-server", "monitoring 1.0.0"),
    ]
    assert [owner for _, owner in stack_of(cluster)[:4]] == [""] * 4
    assert AuditRow.objects.get(action="deploy").detail["add_ons"] == [
        "load-balancer 1.0.0",
        "monitoring 1.0.0",
    ]


def test_command_repeats_the_add_ons(
    walk: DeployWalk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = make_add_on(
        walk.project, variables=[TOKEN], values={"metrics-server": 'args: ["--t={{.spectro.var.token}}"]\n'}
    )
    lb = load_balancer(walk)
    walk.add_ons = [lb, secret]
    walk.variables = {
        variable(lb, "RANGE").removeprefix("var_"): "10.1.0.0/28",
        variable(secret, "token").removeprefix("var_"): SECRET,
    }
    walk.to_review()
    document = export(walk)
    monkeypatch.setenv("DEPLOY_VAR_2_token", SECRET)

    repeat(tmp_path, document, "--name", "payments-copy")

    cluster = Cluster.objects.get()
    assert document["parameters"]["variables"] == {"1_RANGE": "10.1.0.0/28"}
    assert [row["profile"] for row in document["profile"]["add_ons"]] == ["load-balancer", "monitoring"]
    assert stack_of(cluster)[4:] == [
        ("metallb", "load-balancer 1.0.0"),
        ("metrics-server", "monitoring 1.0.0"),
    ]
    assert json.loads(cluster.secrets.variables) == walk.variables


def test_command_takes_a_review_from_before_there_were_add_ons(walk: DeployWalk, tmp_path: Path) -> None:
    walk.to_review()
    document = export(walk)
    del document["profile"]["add_ons"]

    repeat(tmp_path, document, "--name", "payments-copy")

    assert not ClusterAddOn.objects.exists()


def test_command_names_an_add_on_that_there_is_not(walk: DeployWalk, tmp_path: Path) -> None:
    ready(walk)
    document = export(walk)
    document["profile"]["add_ons"][0]["version_name"] = "9.9.9"

    with pytest.raises(CommandError, match=r"no profile load-balancer 9\.9\.9"):
        repeat(tmp_path, document)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("draft", "is a draft"),
        ("theirs", "may not use the cluster profile"),
        ("full", "is no add-on profile"),
        ("twice", "is there twice"),
        ("pack", "Metrics Server is in"),
    ],
)
def test_what_changed_behind_the_draft_is_refused_by_the_action(
    walk: DeployWalk, change: str, said: str
) -> None:
    metrics = make_add_on(walk.project)
    walk.add_ons = [metrics]
    walk.to_review()
    wrong = {
        "draft": lambda: [make_add_on(walk.project, "other", METALLB, is_published=False)],
        "theirs": lambda: [make_add_on(walk.project, "other", METALLB, owner=make_project(name="billing"))],
        "full": lambda: [make_profile(walk.project, "another", values=IMAGE)],
        "twice": lambda: [metrics, make_add_on(walk.project, "monitoring", METALLB, version="2.0.0")],
        "pack": lambda: [metrics, make_add_on(walk.project, "other", METRICS)],
    }[change]()
    draft = walk.draft
    draft.pages[PROFILE]["values"]["add_ons"] = ids(*wrong)
    draft.save()

    response = walk.confirm()

    assert response.status_code == 422 and said in text_of(response)
    assert f'href="{walk.url("profile")}">Change it on the page Cluster Profile' in text_of(response)
    assert not Cluster.objects.exists()
