"""The page that updates a running cluster: what changes is shown, then it is confirmed."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from clusters.models import Cluster
from clusters.profiles.models import ClusterProfile, ProfileLayer, ProfileVersion
from palette_portal.orchestration.models import Operation
from palette_portal.tenants.roles import Role
from tests.factories import bao, carla, make_project, make_user
from tests.integration.changes.scene import finish
from tests.integration.changes.test_updates import NEW_IMAGE, OLD_IMAGE, layers, run_with_profile, version
from tests.integration.provisioning.stage import Stage


def put_layers(found: ProfileVersion, **versions: str) -> ProfileVersion:
    """Published versions take no layer any more: published last."""
    ProfileLayer.objects.bulk_create(
        ProfileLayer(version=found, position=position, **vars(layer))
        for position, layer in enumerate(layers(**versions), start=1)
    )
    ProfileVersion.objects.filter(pk=found.pk).update(published_at=found.created_at)
    return found


@pytest.fixture
def newer(stage: Stage, client: Client) -> ProfileVersion:
    """A cluster runs with 1.0.0; 1.1.0 is published."""
    profile = ClusterProfile.objects.create(tenant=stage.gateway.tenant, name="starter")
    run_with_profile(stage, profile)
    client.force_login(bao())
    return put_layers(
        version(profile, "1.1.0", published=False), image=NEW_IMAGE, kubernetes="1.36.4", calico="3.33.0"
    )


def url(cluster: Cluster, name: str = "update") -> str:
    return reverse(f"clusters:{name}", kwargs={"cluster_id": cluster.pk})


def sent(newer: ProfileVersion, then: str, **changes: str) -> dict[str, Any]:
    """The parameters as the version has them."""
    texts = {f"values_{layer.pack}": layer.values for layer in newer.layers.all()}
    return {"version": str(newer.pk), "then": then, **texts, **changes}


def is_quiet(stage: Stage) -> bool:
    return not Operation.objects.of(stage.cluster.subject).active().exists()


def test_newer_version_is_offered_on_the_details_page(
    stage: Stage, newer: ProfileVersion, client: Client
) -> None:
    page = client.get(url(stage.cluster, "detail")).content.decode()

    assert "Version 1.1.0 of starter is published." in page
    assert url(stage.cluster) in page


def test_what_will_happen_is_shown_first_and_then_happens(
    stage: Stage, newer: ProfileVersion, client: Client
) -> None:
    page = client.get(url(stage.cluster)).content.decode()
    assert "1.1.0 (newest)" in page and "1.0.0 (as now)" in page

    plan = client.post(url(stage.cluster), sent(newer, "review")).content.decode()
    assert "2 nodes will be replaced" in plan and "Kubernetes 1.36.4" in plan
    assert is_quiet(stage)

    answer = client.post(url(stage.cluster), sent(newer, "confirm"))

    assert answer.status_code == 302
    stage.operation = Operation.objects.of(stage.cluster.subject).active().get()
    finish(stage)
    assert stage.cluster.profile_version == newer
    assert "The cluster is not" not in client.get(url(stage.cluster)).content.decode()


def test_values_that_are_wrong_are_refused_at_their_line(
    stage: Stage, newer: ProfileVersion, client: Client
) -> None:
    answer = client.post(url(stage.cluster), sent(newer, "review", values_ubuntu="image:\n  templat: x\n"))

    assert answer.status_code == 422
    assert "Line 2" in answer.content.decode()


def test_impossible_update_is_said_and_changes_nothing(
    stage: Stage, newer: ProfileVersion, client: Client
) -> None:
    changed = "networking:\n  podCidr: 10.201.0.0/16\n  serviceCidr: 10.96.0.0/12\n"

    answer = client.post(url(stage.cluster), sent(newer, "confirm", values_kubernetes=changed))

    assert answer.status_code == 409
    assert "The pod network of a running cluster cannot change" in answer.content.decode()
    assert is_quiet(stage)


def test_own_values_are_carried_over(stage: Stage, newer: ProfileVersion, client: Client) -> None:
    stage.cluster.layers.filter(pack="ubuntu").update(values=f"image:\n  template: {NEW_IMAGE} # mine\n")

    page = client.get(url(stage.cluster)).content.decode()

    assert f"{NEW_IMAGE} # mine" in page


def test_other_version_keeps_what_was_typed(stage: Stage, newer: ProfileVersion, client: Client) -> None:
    """Only what was changed: the rest is as the chosen version has it."""
    newest = put_layers(version(newer.profile, "1.2.0", published=False))
    typed = sent(newer, "", values_calico="mtu: 1234\n", shown_version=str(newer.pk), stack="1")

    answer = client.post(f"{url(stage.cluster)}?choose=1", {**typed, "version": str(newest.pk)})

    page = answer.content.decode()
    assert "mtu: 1234" in page
    assert OLD_IMAGE in page and NEW_IMAGE not in page
    assert answer["HX-Push-Url"] == f"{url(stage.cluster)}?version={newest.pk}&stack=1"


def test_other_version_keeps_values_of_variables_but_no_secrets(
    stage: Stage, newer: ProfileVersion, client: Client
) -> None:
    variables = [{"name": "registry"}, {"name": "token", "masked": True}]
    newest = put_layers(version(newer.profile, "1.2.0", published=False, variables=variables))
    values = {"var_registry": "registry.acme.test", "var_token": "s3cret-token"}
    typed = {**sent(newest, "", **values), "shown_version": str(newest.pk), "stack": "1"}

    page = client.post(f"{url(stage.cluster)}?choose=1", typed).content.decode()

    assert 'value="registry.acme.test"' in page
    assert "s3cret-token" not in page and "Stored. Leave empty" not in page


@pytest.mark.parametrize(("person", "status"), [("carla", 404), ("viewer", 403)])
def test_page_is_not_for_others(
    stage: Stage, newer: ProfileVersion, client: Client, person: str, status: int
) -> None:
    viewer = make_user("vera", Role.PROJECT_VIEWER, project=make_project())
    client.force_login(carla() if person == "carla" else viewer)

    assert client.get(url(stage.cluster)).status_code == status
    assert client.post(url(stage.cluster), sent(newer, "confirm")).status_code == status
