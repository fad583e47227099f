"""Versions out of the portal as files, and into it."""

from django.db import transaction

from clusters.profiles.actions.profiles import create_profile
from clusters.profiles.actions.rows import variables_of
from clusters.profiles.exchange import ProfileFile, plain_layers, read_file
from clusters.profiles.models import ProfileType, ProfileVersion
from palette_portal.tenants.models import Project, Tenant, User


def export_version(version: ProfileVersion) -> str:
    profile = version.profile
    return ProfileFile(
        name=profile.name,
        version=version.version,
        type=ProfileType(profile.type),
        description=profile.description,
        variables=variables_of(version),
        layers=plain_layers(list(version.layers.all())),
    ).as_yaml()


@transaction.atomic
def import_profile(
    *, text: str, tenant: Tenant, project: Project | None, name: str = "", by: User
) -> ProfileVersion:
    """A new profile with one draft. Raise WrongFile, or Conflict when the name is taken."""
    file = read_file(text)
    return create_profile(
        tenant=tenant,
        project=project,
        name=name or file.name,
        type=file.type,
        version=file.version,
        description=file.description,
        layers=file.layers,
        variables=file.variables,
        action="import",
        by=by,
    )
