"""The profiles of a cluster as rows, and what forbids to put them together."""

from collections.abc import Callable, Sequence
from datetime import datetime

from clusters.actions.requests import AddOnRequest, LayerRequest, StackRequest
from clusters.models import Cluster, ClusterAddOn, ClusterLayer
from clusters.profiles.models import ClusterProfile, ProfileType, ProfileVersion
from clusters.profiles.stack import pack_twice, scope_of
from clusters.profiles.variables import check_variables
from palette_portal.http import Conflict
from palette_portal.tenants.models import Project

AppliedAt = Callable[[LayerRequest], datetime | None]


class StackRefused(Conflict):
    """The profiles do not go together, or one of them cannot be used."""


def check_stack(request: StackRequest, project: Project) -> None:
    """Raise StackRefused with what is wrong with the profiles together, and with each of them."""
    versions = [profile.version for profile in request.profiles]
    usable = set(
        ClusterProfile.objects.usable_in(project).filter(versions__in=versions).values_list("pk", flat=True)
    )
    for version in versions:
        if version.profile_id not in usable:
            raise StackRefused(f"The project {project} may not use the cluster profile {version.profile}.")
        if not version.is_published:
            raise StackRefused(f"{version} is a draft: publish it first.")
    _check_types(versions)
    if problem := pack_twice(zip(versions, request.layers_by_profile, strict=True)):
        raise StackRefused(problem)


def _check_types(versions: Sequence[ProfileVersion]) -> None:
    own, *add_ons = versions
    if own.profile.type == ProfileType.ADD_ON:
        raise StackRefused(f"{own} is an add-on profile: a cluster needs one with an operating system first.")
    for number, version in enumerate(add_ons):
        if version.profile.type != ProfileType.ADD_ON:
            raise StackRefused(f"{version} is no add-on profile: a cluster has one profile of its own.")
        if version.profile_id in {other.profile_id for other in add_ons[:number]}:
            raise StackRefused(f"The add-on profile {version.profile} is there twice. Take one of them away.")


def check_stack_variables(request: StackRequest) -> None:
    """Raise Conflict with the first value that is missing, wrong or of no profile."""
    scopes = {profile.scope for profile in request.profiles}
    for group in request.groups:
        for name, error in check_variables(group.definitions, group.given).items():
            raise Conflict(f"{name}: {error}")
    unknown = next((key for key in request.variables if scope_of(key) not in scopes), "")
    if unknown:
        raise Conflict(f"{unknown}: None of the profiles has this variable.")


def write_stack(
    cluster: Cluster,
    *,
    layers: Sequence[LayerRequest],
    add_ons: Sequence[AddOnRequest] = (),
    applied_at: AppliedAt = lambda layer: None,
) -> None:
    """For a cluster that has none, or none any more."""
    rows: list[tuple[ClusterAddOn | None, LayerRequest]] = [(None, layer) for layer in layers]
    for row, add_on in zip(_add_on_rows(cluster, add_ons), add_ons, strict=True):
        rows += [(row, layer) for layer in add_on.layers]
    ClusterLayer.objects.bulk_create(
        ClusterLayer(
            cluster=cluster, position=position, add_on=row, applied_at=applied_at(layer), **vars(layer)
        )
        for position, (row, layer) in enumerate(rows, start=1)
    )


def _add_on_rows(cluster: Cluster, add_ons: Sequence[AddOnRequest]) -> list[ClusterAddOn]:
    return ClusterAddOn.objects.bulk_create(
        ClusterAddOn(
            cluster=cluster,
            profile_id=add_on.version.profile_id,
            version=add_on.version,
            position=position,
        )
        for position, add_on in enumerate(add_ons, start=1)
    )
