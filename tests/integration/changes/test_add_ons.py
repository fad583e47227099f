"""Add-on profiles of a running cluster: attached, made newer, moved, detached; shown before it happens."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from clusters.actions.requests import AddOnRequest, LayerRequest, StackRequest
from clusters.actions.updates import plan_update, update_cluster
from clusters.models import Cluster, ClusterAddOn, ClusterSecrets
from clusters.profiles.models import ClusterProfile, LayerKind, ProfileVersion
from palette_portal.http import Conflict
from palette_portal.orchestration.models import Operation
from palette_portal.tenants.models import AuditRow, Project, User
from palette_portal.tenants.roles import Role
from tests.factories import bao, carla, make_project, make_user
from tests.integration.changes.scene import finish
from tests.integration.changes.test_update_page import put_layers, url
from tests.integration.changes.test_updates import layers, run_with_profile, version
from tests.integration.deploy.walk import METALLB, make_add_on
from tests.integration.provisioning.stage import Stage

ADDRESSES = "addresses: [10.99.0.0/28]\n"
VARIABLE = {"name": "RANGE", "required": True, "masked": True}


@pytest.fixture
def own(stage: Stage, client: Client) -> ProfileVersion:
    """A cluster runs with starter 1.0.0, and nothing newer is published; Bao looks at it."""
    profile = ClusterProfile.objects.create(tenant=stage.gateway.tenant, name="starter")
    run_with_profile(stage, profile)
    client.force_login(bao())
    return profile.versions.get()


def editor() -> User:
    """Bao, who is there already."""
    return User.objects.get(email__startswith="bao@")


def project_of(stage: Stage) -> Project:
    assert stage.cluster.project is not None
    return stage.cluster.project


def metrics(stage: Stage, number: str = "1.0.0", values: str = "") -> ProfileVersion:
    return make_add_on(project_of(stage), version=number, values={"metrics-server": values})


def metallb(stage: Stage, **fields: Any) -> ProfileVersion:
    return make_add_on(project_of(stage), "load-balancer", METALLB, **fields)


def same_again(own: ProfileVersion) -> ProfileVersion:
    made = put_layers(version(own.profile, "1.0.1", published=False))
    made.refresh_from_db()
    return made


def asked(found: ProfileVersion, **values: str) -> AddOnRequest:
    rows = tuple(
        LayerRequest(LayerKind.ADD_ON, layer.pack, layer.pack_version, values.get(layer.pack, layer.values))
        for layer in found.layers.all()
    )
    return AddOnRequest(found, rows)


def request(own: ProfileVersion, *add_ons: AddOnRequest, **variables: str) -> StackRequest:
    return StackRequest(own, layers(), variables, add_ons)


def update(stage: Stage, wanted: StackRequest) -> None:
    stage.operation = update_cluster(cluster=stage.cluster, request=wanted, by=editor())
    finish(stage)


def attached(stage: Stage) -> list[str]:
    return [str(add_on) for add_on in stage.cluster.add_ons.all()]


# What the action does


def test_add_on_is_attached_to_a_running_cluster_and_applied(stage: Stage, own: ProfileVersion) -> None:
    wanted = request(own, asked(metrics(stage)))
    planned = plan_update(stage.cluster, wanted)
    assert planned.profiles == ("monitoring 1.0.0 is attached.",)
    assert (planned.replaced, planned.manifests) == ((), ("metrics-server",))

    update(stage, wanted)

    assert attached(stage) == ["monitoring 1.0.0"]
    layer = stage.cluster.layers.get(pack="metrics-server")
    assert str(layer.add_on) == "monitoring 1.0.0" and layer.applied_at
    assert stage.guests.log == [], "no node was touched"
    assert len(stage.guests.applied) == 1 and "metrics-server" in stage.guests.applied[0]
    assert AuditRow.objects.get(action="update").detail["add_ons"] == ["monitoring 1.0.0"]
    assert plan_update(stage.cluster, wanted).is_empty


def test_newer_version_of_an_add_on_is_applied(stage: Stage, own: ProfileVersion) -> None:
    update(stage, request(own, asked(metrics(stage))))
    wanted = request(own, asked(metrics(stage, "1.1.0", "replicas: 2\n")))
    planned = plan_update(stage.cluster, wanted)

    update(stage, wanted)

    assert planned.profiles == ("monitoring 1.0.0 becomes 1.1.0.",)
    assert [difference.word for difference in planned.differences] == ["changed"]
    assert attached(stage) == ["monitoring 1.1.0"]
    assert "replicas: 2" in stage.cluster.layers.get(pack="metrics-server").values


def test_detached_add_on_leaves_and_its_objects_are_named(stage: Stage, own: ProfileVersion) -> None:
    update(stage, request(own, asked(metrics(stage))))
    planned = plan_update(stage.cluster, request(own))

    update(stage, request(own))

    assert planned.profiles == ("monitoring 1.0.0 is detached.",)
    assert planned.removed == ("metrics-server",)
    assert attached(stage) == []
    assert not stage.cluster.layers.filter(pack="metrics-server").exists()


def test_pack_that_moves_to_another_profile_does_not_leave(stage: Stage, own: ProfileVersion) -> None:
    update(stage, request(own, asked(metrics(stage))))
    other = make_add_on(project_of(stage), "observability")

    planned = plan_update(stage.cluster, request(own, asked(other)))

    assert planned.profiles == ("observability 1.0.0 is attached.", "monitoring 1.0.0 is detached.")
    assert (planned.removed, planned.manifests) == ((), ())


def test_another_order_is_a_change(stage: Stage, own: ProfileVersion) -> None:
    one, two = asked(metrics(stage)), asked(metallb(stage), metallb=ADDRESSES)
    update(stage, request(own, one, two))
    planned = plan_update(stage.cluster, request(own, two, one))

    update(stage, request(own, two, one))

    assert planned.profiles == ("The order of the profiles becomes starter, load-balancer, monitoring.",)
    assert attached(stage) == ["load-balancer 1.0.0", "monitoring 1.0.0"]
    assert [layer.pack for layer in stage.cluster.layers.all()][3:] == ["metallb", "metrics-server"]


def test_newer_version_that_differs_in_nothing_can_be_had(stage: Stage, own: ProfileVersion) -> None:
    newer = same_again(own)

    update(stage, request(newer))

    assert stage.cluster.profile_version == newer


def test_variables_of_add_ons_are_kept_apart_and_go_with_them(stage: Stage, own: ProfileVersion) -> None:
    lb = metallb(stage, variables=[VARIABLE])
    key = f"{lb.profile_id.hex}-RANGE"
    addresses = "addresses: ['{{.spectro.var.RANGE}}']\n"
    wanted = StackRequest(own, layers(), {key: "10.98.0.0/28"}, (asked(lb, metallb=addresses),))

    update(stage, wanted)

    secrets = ClusterSecrets.objects.get(cluster=stage.cluster)
    assert json.loads(secrets.variables) == {key: "10.98.0.0/28"}
    assert "10.98.0.0/28" in "".join(stage.guests.applied)
    assert "10.98" not in repr(wanted)
    update(stage, request(own))
    assert ClusterSecrets.objects.get(cluster=stage.cluster).variables == ""


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("older", "is older than the cluster's 1.1.0"),
        ("draft", "is a draft"),
        ("theirs", "may not use the cluster profile"),
        ("twice", "is there twice"),
        ("full", "is no add-on profile"),
        ("pack", "Metrics Server is in monitoring 1.1.0 and in other 1.0.0"),
        ("variable", "RANGE: RANGE is needed."),
        ("unknown variable", "None of the profiles has this variable"),
    ],
)
def test_impossible_add_on_is_refused(stage: Stage, own: ProfileVersion, case: str, reason: str) -> None:
    project, old = project_of(stage), metrics(stage)
    new = metrics(stage, "1.1.0")
    update(stage, request(own, asked(new)))
    wanted = {
        "older": lambda: request(own, asked(old)),
        "draft": lambda: request(own, asked(metallb(stage, is_published=False))),
        "theirs": lambda: request(own, asked(metallb(stage, owner=make_project(name="billing")))),
        "twice": lambda: request(own, asked(new), asked(metrics(stage, "1.2.0"))),
        "full": lambda: request(own, asked(own)),
        "pack": lambda: request(own, asked(new), asked(make_add_on(project, "other"))),
        "variable": lambda: request(own, asked(metallb(stage, variables=[VARIABLE]))),
        "unknown variable": lambda: StackRequest(own, layers(), {f"{old.profile_id.hex}-X": "1"}),
    }[case]()

    with pytest.raises(Conflict, match=reason):
        update_cluster(cluster=stage.cluster, request=wanted, by=editor())

    assert attached(stage) == ["monitoring 1.1.0"]


# The page


def sent(own: ProfileVersion, then: str, *add_ons: ProfileVersion, **changes: str) -> dict[str, Any]:
    texts = {f"values_{layer.pack}": layer.values for layer in layers()}
    return {
        "version": str(own.pk),
        "stack": "1",
        "add_on": [str(one.pk) for one in add_ons],
        "then": then,
        **texts,
        **changes,
    }


@pytest.fixture
def with_layers(stage: Stage, own: ProfileVersion) -> ProfileVersion:
    """1.0.1 of the profile says what the cluster has."""
    return same_again(own)


def test_page_attaches_an_add_on_after_showing_what_happens(
    stage: Stage, with_layers: ProfileVersion, client: Client
) -> None:
    found = metrics(stage)
    address = url(stage.cluster)
    assert "monitoring 1.0.0</option>" in client.get(address).content.decode()

    shown = client.get(address, {"stack": "1", "version": str(with_layers.pk), "more": str(found.pk)})
    plan = client.post(address, sent(with_layers, "review", found)).content.decode()
    answer = client.post(address, sent(with_layers, "confirm", found))

    assert "Pack parameters of monitoring 1.0.0" in shown.content.decode()
    assert "monitoring 1.0.0 is attached." in plan and "Applied to the cluster: metrics-server." in plan
    assert answer.status_code == 302
    stage.operation = Operation.objects.of(stage.cluster.subject).active().get()
    finish(stage)
    page = client.get(reverse("clusters:detail", args=[stage.cluster.pk])).content.decode()
    assert "<dt>Add-on profile</dt><dd>monitoring 1.0.0</dd>" in page
    assert "0.8.1 · monitoring 1.0.0" in page


@pytest.fixture
def monitored(stage: Stage, with_layers: ProfileVersion) -> ProfileVersion:
    """The cluster has monitoring 1.0.0; 1.1.0 is published."""
    update(stage, request(with_layers, asked(metrics(stage))))
    return metrics(stage, "1.1.0", "replicas: 2\n")


def test_newer_version_of_an_add_on_is_offered_and_chosen_at_first(
    stage: Stage, monitored: ProfileVersion, client: Client
) -> None:
    details = client.get(reverse("clusters:detail", args=[stage.cluster.pk])).content.decode()
    page = client.get(url(stage.cluster)).content.decode()

    assert "Version 1.1.0 of monitoring is published." in details
    assert "This cluster has 1.0.0." in details
    assert f'<option value="{monitored.pk}" selected>1.1.0 (newest)</option>' in page
    assert "1.0.0 (as now)" in page and "It has starter 1.0.1, monitoring 1.0.0 now" in page


def test_page_detaches_and_says_what_stays(
    stage: Stage, monitored: ProfileVersion, with_layers: ProfileVersion, client: Client
) -> None:
    answer = client.post(url(stage.cluster), sent(with_layers, "review")).content.decode()

    assert "monitoring 1.0.0 is detached." in answer
    assert "metrics-server leaves the cluster" in answer and "remove it with kubectl" in answer


def test_form_without_a_word_about_add_ons_keeps_them(
    stage: Stage, monitored: ProfileVersion, with_layers: ProfileVersion, client: Client
) -> None:
    data = sent(with_layers, "review")
    del data["stack"], data["add_on"]

    answer = client.post(url(stage.cluster), data).content.decode()

    assert "is detached" not in answer and "monitoring 1.0.0 becomes 1.1.0." in answer


def test_own_values_of_an_add_on_are_carried_over(
    stage: Stage, monitored: ProfileVersion, client: Client
) -> None:
    stage.cluster.layers.filter(pack="metrics-server").update(values="replicas: 4 # mine\n")

    assert "replicas: 4 # mine" in client.get(url(stage.cluster)).content.decode()


def test_same_pack_twice_is_said_at_the_field(
    stage: Stage, monitored: ProfileVersion, with_layers: ProfileVersion, client: Client
) -> None:
    other = make_add_on(project_of(stage), "other")

    shown = client.get(url(stage.cluster), {"stack": "1", "add_on": [str(monitored.pk), str(other.pk)]})
    refused = client.post(url(stage.cluster), sent(with_layers, "confirm", monitored, other))

    for answer, status in ((shown, 200), (refused, 422)):
        assert answer.status_code == status
        assert "Metrics Server is in monitoring 1.1.0 and in other 1.0.0" in answer.content.decode()
    assert attached(stage) == ["monitoring 1.0.0"]


@pytest.mark.parametrize(("person", "status"), [("carla", 404), ("viewer", 403)])
def test_add_ons_are_not_for_others_to_attach(
    stage: Stage, with_layers: ProfileVersion, client: Client, person: str, status: int
) -> None:
    viewer = make_user("vera", Role.PROJECT_VIEWER, project=make_project())
    client.force_login(carla() if person == "carla" else viewer)

    answer = client.post(url(stage.cluster), sent(with_layers, "confirm", metrics(stage)))

    assert answer.status_code == status
    assert not ClusterAddOn.objects.exists()


def test_page_asks_as_little_with_many_add_ons(
    stage: Stage,
    monitored: ProfileVersion,
    client: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(8):
        make_add_on(project_of(stage), f"add-on-{number}")
    cluster = Cluster.objects.get(pk=stage.cluster.pk)

    with django_assert_max_num_queries(24):
        client.get(url(cluster))
