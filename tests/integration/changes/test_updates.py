"""A newer profile version for a running cluster: shown first, then rolled out, masters before workers."""

import json
from typing import Any

import pytest

from clusters.actions.requests import LayerRequest, StackRequest
from clusters.actions.updates import Update, plan_update, update_cluster
from clusters.models import ClusterPurpose, ClusterSecrets, Machine, PoolRole
from clusters.profiles.models import ClusterProfile, LayerKind, ProfileVersion
from clusters.profiles.variables import Variable, VariableType
from palette_portal.http import Conflict
from palette_portal.tenants.models import AuditRow, User
from palette_portal.tenants.permissions import Denied
from palette_portal.tenants.roles import Role
from tests.factories import bao, make_project, make_user
from tests.integration.changes.scene import finish, machines_of, names, worker_pool
from tests.integration.provisioning.stage import Stage

# The lab has these two, whatever Kubernetes they are called after.
OLD_IMAGE, NEW_IMAGE = "r_u-2204-0-k-1303-0", "r_u-2204-0-k-1312-0"


def layers(image: str = OLD_IMAGE, **versions: str) -> tuple[LayerRequest, ...]:
    kubernetes = versions.get("kubernetes", "1.35.9")
    return (
        LayerRequest(LayerKind.OS, "ubuntu", "22.04", f"image:\n  template: {image}\n"),
        LayerRequest(LayerKind.KUBERNETES, "kubernetes", kubernetes, versions.get("values", "")),
        LayerRequest(LayerKind.NETWORK, versions.get("cni", "calico"), versions.get("calico", "3.32.2")),
    )


@pytest.fixture
def editor(stage: Stage) -> User:
    return bao()


@pytest.fixture
def profile(stage: Stage) -> ClusterProfile:
    return ClusterProfile.objects.create(tenant=stage.gateway.tenant, name="starter")


def version(profile: ClusterProfile, number: str, *, published: bool = True, **fields: Any) -> ProfileVersion:
    rank = int("".join(part.zfill(6) for part in number.split(".")))
    found = ProfileVersion.objects.create(profile=profile, version=number, rank=rank, **fields)
    if published:
        ProfileVersion.objects.filter(pk=found.pk).update(published_at=found.created_at)
        found.refresh_from_db()
    return found


def run_with_profile(stage: Stage, profile: ClusterProfile, *, masters: int = 1) -> None:
    pools = (*stage.request(masters).pools, worker_pool(stage, 1))
    stage.start(
        purpose=ClusterPurpose.TENANT,
        project=make_project(stage.gateway.tenant),
        name="shop",
        pools=pools,
        profile_version=version(profile, "1.0.0"),
        layers=layers(),
        variables={"secret": "s3cr3t"},
        kubernetes_version="1.35.9",
        image_template=OLD_IMAGE,
    )
    finish(stage)
    stage.guests.log.clear()


def update(stage: Stage, request: StackRequest, by: User) -> None:
    stage.operation = update_cluster(cluster=stage.cluster, request=request, by=by)
    finish(stage)


def plan(stage: Stage, request: StackRequest) -> Update:
    return plan_update(stage.cluster, request)


def test_new_kubernetes_replaces_masters_then_workers(
    stage: Stage, profile: ClusterProfile, editor: User
) -> None:
    run_with_profile(stage, profile, masters=3)
    request = StackRequest(version(profile, "1.1.0"), layers(NEW_IMAGE, kubernetes="1.36.4"))
    planned = plan(stage, request)
    assert names(planned.replaced) == ["shop-cp-1", "shop-cp-2", "shop-cp-3", "shop-workers-1"]

    update(stage, request, editor)

    masters = [f"shop-cp-{new} in,shop-cp-{old} out" for new, old in ((4, 1), (5, 2), (6, 3))]
    assert stage.guests.log == [
        "version v1.36.4",
        *",".join(masters).split(","),
        "shop-workers-2 in",
        "shop-workers-1 out",
    ]
    machines = [*machines_of(stage), *machines_of(stage, PoolRole.WORKER)]
    assert {(one.kubernetes_version, one.image_template) for one in machines} == {("1.36.4", NEW_IMAGE)}
    assert stage.cluster.profile_version == request.version
    assert AuditRow.objects.get(action="update").detail["profile"] == "starter 1.1.0"
    assert plan(stage, request).is_empty


def test_new_pack_is_applied_and_no_node_is_touched(
    stage: Stage, profile: ClusterProfile, editor: User
) -> None:
    run_with_profile(stage, profile)
    request = StackRequest(version(profile, "1.0.1"), layers(calico="3.33.0"))
    assert plan(stage, request).replaced == ()
    assert [difference.word for difference in plan(stage, request).differences] == ["changed"]

    update(stage, request, editor)

    assert stage.guests.log == []
    assert stage.guests.applied
    assert all(layer.applied_at for layer in stage.cluster.layers.all())


def test_variables_are_kept_encrypted(stage: Stage, profile: ClusterProfile, editor: User) -> None:
    run_with_profile(stage, profile)
    definition = Variable("secret", "", VariableType("string"), False, "", "", True, "").as_json()
    newer = version(profile, "1.0.1", variables=[definition])
    request = StackRequest(newer, layers(calico="3.33.0"), {"secret": "n3w"})

    update(stage, request, editor)

    secrets = ClusterSecrets.objects.get(cluster=stage.cluster)
    assert json.loads(secrets.variables) == {"secret": "n3w"}
    assert "n3w" not in repr(request)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kubernetes": "1.37.1"}, "one minor version at a time"),
        ({"cni": "cilium", "calico": "1.20.3"}, "The network pack of a running cluster cannot change"),
        ({"values": "networking:\n  podCidr: 10.200.0.0/16\n"}, "The pod network"),
    ],
)
def test_impossible_update_is_refused(
    stage: Stage, profile: ClusterProfile, editor: User, changes: dict[str, str], reason: str
) -> None:
    run_with_profile(stage, profile)
    request = StackRequest(version(profile, "2.0.0"), layers(**changes))

    with pytest.raises(Conflict, match=reason):
        update_cluster(cluster=stage.cluster, request=request, by=editor)

    stage.cluster.refresh_from_db()
    assert str(stage.cluster.profile_version) == "starter 1.0.0"


def test_kubernetes_does_not_go_back(stage: Stage, profile: ClusterProfile, editor: User) -> None:
    run_with_profile(stage, profile)
    newer = StackRequest(version(profile, "1.1.0"), layers(NEW_IMAGE, kubernetes="1.36.4"))
    update(stage, newer, editor)

    with pytest.raises(Conflict, match="cannot go back"):
        plan(stage, StackRequest(version(profile, "1.2.0"), layers()))
    with pytest.raises(Conflict, match="is older than the cluster's"):
        plan(stage, StackRequest(ProfileVersion.objects.get(version="1.0.0"), layers()))


def test_version_has_to_be_published_and_of_the_same_profile(
    stage: Stage, profile: ClusterProfile, editor: User
) -> None:
    run_with_profile(stage, profile)
    other = ClusterProfile.objects.create(tenant=stage.gateway.tenant, name="other")

    with pytest.raises(Conflict, match="is a draft"):
        plan(stage, StackRequest(version(profile, "1.1.0", published=False), layers()))
    with pytest.raises(Conflict, match="another profile"):
        plan(stage, StackRequest(version(other, "1.1.0"), layers()))


def test_update_that_was_stopped_is_finished_by_the_next(
    stage: Stage, profile: ClusterProfile, editor: User
) -> None:
    run_with_profile(stage, profile)
    request = StackRequest(version(profile, "1.1.0"), layers(NEW_IMAGE, kubernetes="1.36.4"))
    update(stage, request, editor)
    Machine.objects.filter(name="shop-workers-2").update(kubernetes_version="1.35.9")

    again = plan(stage, request)

    assert names(again.replaced) == ["shop-workers-2"]
    assert not again.is_empty


def test_viewer_is_denied(stage: Stage, profile: ClusterProfile) -> None:
    run_with_profile(stage, profile)
    viewer = make_user("vera", Role.PROJECT_VIEWER, project=make_project())
    request = StackRequest(version(profile, "1.0.1"), layers(calico="3.33.0"))

    with pytest.raises(Denied):
        update_cluster(cluster=stage.cluster, request=request, by=viewer)
