"""Profiles, the packs' values with problems at their lines, and variables that are never shown again."""

import json

import pytest
from django.urls import reverse

from clusters.deploy.drafts import PARAMETERS, is_complete, open_reason, page_values, variables_of
from clusters.models import Cluster, ClusterSecrets
from tests.factories import make_project
from tests.integration.deploy.scene import IMAGE
from tests.integration.deploy.walk import PAGES, DeployWalk, make_profile, text_of

SECRET = "s3cret-T0ken-value"
VARIABLES = [
    {
        "name": "registry",
        "display_name": "Registry",
        "required": True,
        "regex": "[a-z.]+",
        "description": "Where from.",
    },
    {"name": "token", "display_name": "Token", "required": True, "masked": True},
    {"name": "maxPods", "type": "number", "default": "110"},
]
NAMES = [str(variable["name"]) for variable in VARIABLES]
KUBERNETES = "networking:\n  podCidr: 172.20.0.0/16\nkubelet:\n  maxPods: {{.spectro.var.maxPods}}\n"


def with_variables(walk: DeployWalk) -> None:
    walk.profile = make_profile(
        walk.project,
        version="2.0.0",
        variables=VARIABLES,
        values={**IMAGE, "kubernetes": KUBERNETES},
    )
    walk.variables = {"registry": "registry.acme.test", "token": SECRET}


def edited(walk: DeployWalk, text: str) -> dict[str, str]:
    return {"values_kubernetes": text}


def test_profile_page_shows_published_versions_only(walk: DeployWalk) -> None:
    make_profile(walk.project, version="0.9.0")
    make_profile(walk.project, version="3.0.0", published_at=None)
    make_profile(walk.project, name="Another project's", owner=make_project(name="billing"))
    walk.to_profile()

    page = text_of(walk.get("profile"))

    assert "0.9.0" in page and "Older versions (1)" in page
    assert "3.0.0" not in page and "Another project" not in page


def test_profile_version_that_was_withdrawn_or_never_there_is_refused(walk: DeployWalk) -> None:
    draft_version = make_profile(walk.project, version="3.0.0", published_at=None)
    walk.to_profile()

    for version in (str(draft_version.pk), "nonsense", ""):
        response = walk.post("profile", {"version": version})

        assert response.status_code == 422
        assert 'id="id_version_error"' in text_of(response)


def test_values_start_as_the_profile_has_them(walk: DeployWalk) -> None:
    walk.to_parameters()

    page = text_of(walk.get("parameters"))

    assert "r_u-2204-0-k-1312-0" in page, "the profile's text"
    assert "serviceCidr: 10.96.0.0/12" in page, "the pack's own where the profile says nothing"
    assert page.count("As in the profile") == 4


def test_values_unchanged_are_no_override(walk: DeployWalk) -> None:
    walk.to_placement()

    assert page_values(walk.draft, PARAMETERS)["layers"] == {}


def test_values_changed_are_kept_and_compared(walk: DeployWalk) -> None:
    walk.to_parameters()

    walk.accept("parameters", edited(walk, "networking:\r\n  podCidr: 172.20.0.0/16\r\n"))

    page = text_of(walk.get("parameters"))
    assert page_values(walk.draft, PARAMETERS)["layers"] == {
        "kubernetes": "networking:\n  podCidr: 172.20.0.0/16\n"
    }
    assert "Against the profile" in page
    assert "<ins>" in page and "podCidr: 172.20.0.0/16" in page


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("networking:\n  podCidr: [1, 2\n", 3),
        ("networking:\n  podCidr: 5\n", 2),
        ("networking:\n  colour: red\n", 2),
        ("kubelet:\n  maxPods: {{.spectro.var.nothing}}\n", 2),
    ],
)
def test_values_that_are_wrong_are_refused_at_their_line(walk: DeployWalk, text: str, line: int) -> None:
    walk.to_parameters()

    response = walk.post("parameters", edited(walk, text))

    assert response.status_code == 422
    assert f"Line {line}" in text_of(response)
    assert not is_complete(walk.draft, PARAMETERS)
    assert page_values(walk.draft, PARAMETERS)["layers"]["kubernetes"] == text, "typed once only"


def test_values_are_checked_while_they_are_typed(walk: DeployWalk) -> None:
    walk.to_parameters()

    response = walk.check("parameters", "kubernetes", edited(walk, "networking:\n  podCidr: 5\n"))

    assert response.status_code == 200
    assert 'id="feedback-kubernetes"' in text_of(response) and "Line 2" in text_of(response)
    assert PARAMETERS not in walk.draft.pages


def test_values_of_the_profile_are_put_back(walk: DeployWalk) -> None:
    walk.to_parameters()

    response = walk.post("parameters", edited(walk, "networking: {}\n"), then="reset-kubernetes")

    assert text_of(response).count("As in the profile") == 4


def test_another_profile_reopens_the_parameters_and_keeps_what_fits(walk: DeployWalk) -> None:
    walk.to_parameters()
    walk.accept("parameters", edited(walk, "networking:\n  podCidr: 172.20.0.0/16\n"))
    newer = make_profile(walk.project, version="1.1.0", values=IMAGE)

    walk.accept("profile", {"version": str(newer.pk)})

    assert "The cluster profile changed" in open_reason(walk.draft, PARAMETERS)
    assert "172.20.0.0/16" in text_of(walk.get("parameters"))


def test_variables_are_proper_fields(walk: DeployWalk) -> None:
    with_variables(walk)
    walk.to_parameters()

    page = text_of(walk.get("parameters"))

    assert '<input type="text" name="var_registry"' in page and "Where from." in page
    assert '<input type="password" name="var_token"' in page
    assert 'placeholder="110"' in page


def test_only_variables_that_may_be_empty_are_optional(walk: DeployWalk) -> None:
    with_variables(walk)
    walk.to_parameters()

    page = text_of(walk.get("parameters"))
    labels = {name: page.split(f'<label for="id_var_{name}">')[1].split("</label>")[0] for name in NAMES}

    assert [name for name, label in labels.items() if "Optional" in label] == ["maxPods"]


def test_variable_without_its_value_is_told_once(walk: DeployWalk) -> None:
    with_variables(walk)
    walk.to_parameters()

    refused = text_of(walk.post("parameters", walk.parameters(var_registry="", var_token=" ")))

    assert refused.count("Registry is needed.") == 1 and refused.count("Token is needed.") == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("registry", "", "Registry is needed."),
        ("registry", "UPPER", "does not fit the pattern"),
        ("token", "", "Token is needed."),
        ("maxPods", "many", "Enter a number."),
    ],
)
def test_variable_that_is_wrong_is_refused_at_its_field(
    walk: DeployWalk, name: str, value: str, said: str
) -> None:
    with_variables(walk)
    walk.to_parameters()

    response = walk.post("parameters", walk.parameters(**{f"var_{name}": value}))

    assert response.status_code == 422
    assert f'id="id_var_{name}_error"' in text_of(response) and said in text_of(response)


def test_masked_variable_is_stored_and_never_returned(walk: DeployWalk) -> None:
    with_variables(walk)
    walk.to_review()

    pages = [text_of(walk.get(page)) for page in PAGES]
    refused = text_of(walk.post("parameters", walk.parameters(var_registry="UPPER")))
    export = text_of(walk.client.get(reverse("clusters:deploy-export", args=[walk.draft.pk])))

    assert variables_of(walk.draft)["token"] == SECRET
    assert SECRET not in json.dumps(walk.draft.pages)
    assert all(SECRET not in text for text in (*pages, refused, export, text_of(walk.report())))
    assert "Stored. Leave empty to keep it." in pages[2]


def test_masked_variable_left_empty_keeps_its_value(walk: DeployWalk) -> None:
    with_variables(walk)
    walk.to_placement()

    walk.accept("parameters", walk.parameters(var_token=""))

    assert variables_of(walk.draft)["token"] == SECRET


def test_variables_reach_the_cluster_as_secrets_only(walk: DeployWalk) -> None:
    with_variables(walk)
    walk.to_review()

    walk.confirm()

    cluster = Cluster.objects.get()
    assert json.loads(ClusterSecrets.objects.get(cluster=cluster).variables)["token"] == SECRET
    assert "{{.spectro.var.maxPods}}" in cluster.layers.get(pack="kubernetes").values
    assert cluster.pod_cidr == "172.20.0.0/16"
