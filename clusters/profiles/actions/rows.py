"""What every action needs: a draft that stays one until the end, the copy of a version, the audit row."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import IntegrityError, transaction

from clusters.profiles.models import ClusterProfile, LayerKind, ProfileLayer, ProfileVersion
from clusters.profiles.packs import load_catalog
from clusters.profiles.render import Layer
from clusters.profiles.variables import Variable, read_variables
from clusters.profiles.versions import rank_of
from palette_portal.http import Conflict
from palette_portal.tenants import audit
from palette_portal.tenants.models import Project, Tenant, User

NAME_TAKEN = "Another profile of this scope has this name."
NOT_A_VERSION = "A version is three numbers, such as 1.0.0."
_ORDER = list(LayerKind)


def lock_draft(version: ProfileVersion) -> ProfileVersion:
    """The only way to a row that is written: nobody publishes it in the meantime. Raise Conflict."""
    drafts = ProfileVersion.objects.select_for_update(of=("self",)).filter(published_at=None)
    draft = drafts.select_related("profile__tenant", "profile__project").filter(pk=version.pk).first()
    if draft is None:
        raise Conflict(f"{version} is published and never changes again. Make a new version of it.")
    return draft


def save_profile(profile: ClusterProfile) -> None:
    try:
        with transaction.atomic():
            profile.save()
    except IntegrityError as error:
        if "profile_name_unique_in_scope" in str(error):
            raise Conflict(NAME_TAKEN) from error
        raise


def make_version(
    profile: ClusterProfile,
    version: str,
    *,
    layers: Iterable[Layer],
    variables: Sequence[Variable],
    by: User | None,
) -> ProfileVersion:
    rank = rank_of(version)
    if rank is None:
        raise Conflict(NOT_A_VERSION)
    made = ProfileVersion.objects.create(
        profile=profile,
        version=version,
        rank=rank,
        variables=[variable.as_json() for variable in variables],
        created_by=by,
    )
    put_layers(made, layers)
    return made


def put_layers(version: ProfileVersion, layers: Iterable[Layer]) -> None:
    """In the order in which a cluster is built, add-ons as they come."""
    ordered = sorted(layers, key=lambda layer: _ORDER.index(LayerKind(layer.kind)))
    ProfileLayer.objects.bulk_create(
        ProfileLayer(
            version=version,
            kind=layer.kind,
            position=position,
            pack=layer.pack,
            pack_version=layer.pack_version,
            values=layer.values,
        )
        for position, layer in enumerate(ordered)
    )


def variables_of(version: ProfileVersion) -> tuple[Variable, ...]:
    return read_variables(version.variables)


def title_of(pack: str) -> str:
    found = load_catalog().find(pack)
    return found.title if found else pack


def write_audit(profile: ClusterProfile, action: str, by: User | None, **detail: Any) -> None:
    tenant: Tenant = profile.tenant
    project: Project | None = profile.project
    audit.record(
        by=by,
        action=action,
        obj_kind="cluster-profile",
        obj_id=profile.pk,
        obj_name=profile.name,
        tenant=tenant,
        project=project,
        **detail,
    )
