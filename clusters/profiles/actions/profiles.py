"""Profiles and their versions: made, published, copied, deleted."""

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models.functions import Now

from clusters.models import Cluster, ClusterAddOn
from clusters.profiles.actions.rows import (
    NAME_TAKEN,
    lock_draft,
    make_version,
    save_profile,
    variables_of,
    write_audit,
)
from clusters.profiles.checks import Finding, findings_on
from clusters.profiles.models import ClusterProfile, ProfileType, ProfileVersion
from clusters.profiles.packs import find_pack
from clusters.profiles.render import Layer, PlainLayer
from clusters.profiles.variables import Variable
from clusters.profiles.versions import rank_of
from clusters.states import ClusterState
from palette_portal.http import Conflict
from palette_portal.tenants.models import Project, Tenant, User

# What a profile with infrastructure begins with: parts whose makers name each other.
RECOMMENDED = (
    ("ubuntu", "24.04"),
    ("kubernetes", "1.36.4"),
    ("calico", "3.33.0"),
    ("vsphere-csi", "3.8.0"),
)


class NotPublishable(Conflict):
    """What stands against publishing; `reason` is the first of it."""

    def __init__(self, errors: Sequence[Finding]) -> None:
        super().__init__(errors[0].message)
        self.errors = list(errors)


@transaction.atomic
def create_profile(
    *,
    tenant: Tenant,
    project: Project | None,
    name: str,
    type: ProfileType,
    version: str,
    description: str = "",
    layers: Iterable[Layer] | None = None,
    variables: Sequence[Variable] = (),
    action: str = "create",
    by: User | None,
) -> ProfileVersion:
    """A draft. Without `layers` one with infrastructure begins with what is recommended. Raise Conflict."""
    profile = ClusterProfile(
        tenant=tenant, project=project, name=name, type=type, description=description, created_by=by
    )
    save_profile(profile)
    if layers is None:
        layers = [] if type == ProfileType.ADD_ON else recommended_layers()
    made = make_version(profile, version, layers=layers, variables=variables, by=by)
    write_audit(profile, action, by, version=version, type=str(type))
    return made


@transaction.atomic
def change_profile(*, profile: ClusterProfile, name: str, description: str, by: User) -> None:
    """What is not part of any version. Raise Conflict."""
    before = profile.name
    profile.name, profile.description = name, description
    save_profile(profile)
    write_audit(profile, "change", by, before=before)


@transaction.atomic
def publish_version(*, version: ProfileVersion, by: User | None) -> ProfileVersion:
    """Raise NotPublishable, Conflict."""
    draft = lock_draft(version)
    found = findings_on(draft.profile.type, list(draft.layers.all()), variables_of(draft))
    if errors := [finding for finding in found if not finding.is_warning]:
        raise NotPublishable(errors)
    ProfileVersion.objects.filter(pk=draft.pk, published_at=None).update(published_at=Now(), updated_at=Now())
    draft.refresh_from_db()
    write_audit(draft.profile, "publish", by, version=draft.version)
    return draft


@transaction.atomic
def new_version(*, of: ProfileVersion, version: str, by: User) -> ProfileVersion:
    """A draft that begins as a copy, with a version greater than all there are. Raise Conflict."""
    profile = ClusterProfile.objects.select_for_update(of=("self",)).get(pk=of.profile_id)
    newest = profile.versions.order_by("-rank").values_list("rank", "version").first()
    rank = rank_of(version)
    if newest and rank is not None and rank <= newest[0]:
        raise Conflict(f"The version must be greater than {newest[1]}.")
    made = make_version(profile, version, layers=of.layers.all(), variables=variables_of(of), by=by)
    write_audit(profile, "new-version", by, version=version, copied_from=of.version)
    return made


@transaction.atomic
def clone_profile(
    *, version: ProfileVersion, project: Project | None, name: str, new_version: str, by: User
) -> ProfileVersion:
    """A profile of its own, beginning as a copy of one version. Raise Conflict."""
    original = version.profile
    if original.project_id == (project.pk if project else None) and original.name == name:
        raise Conflict(NAME_TAKEN)
    return create_profile(
        tenant=original.tenant,
        project=project,
        name=name,
        type=ProfileType(original.type),
        version=new_version,
        description=original.description,
        layers=list(version.layers.all()),
        variables=variables_of(version),
        action="clone",
        by=by,
    )


@transaction.atomic
def delete_version(*, version: ProfileVersion, by: User) -> None:
    """Raise Conflict while clusters have it, and for the only one: then delete the profile."""
    profile = ClusterProfile.objects.select_for_update(of=("self",)).get(pk=version.profile_id)
    if not profile.versions.exclude(pk=version.pk).exists():
        raise Conflict("It is the profile's only version. Delete the profile.")
    _let_go([version])
    version.delete()
    write_audit(profile, "delete-version", by, version=version.version)


@transaction.atomic
def delete_profile(*, profile: ClusterProfile, by: User) -> None:
    """Raise Conflict while clusters have it."""
    row = ClusterProfile.objects.select_for_update(of=("self",)).get(pk=profile.pk)
    _let_go(list(row.versions.all()))
    write_audit(row, "delete", by, versions=[version.version for version in row.versions.all()])
    row.delete()


def recommended_layers() -> list[PlainLayer]:
    packs = [find_pack(name, version) for name, version in RECOMMENDED]
    return [PlainLayer(pack.kind, pack.pack, pack.version) for pack in packs]


def _let_go(versions: Sequence[ProfileVersion]) -> None:
    """Deleted clusters are history and forget what they were made of; all others hold on to it."""
    using = Cluster.objects.filter(profile_version__in=versions)
    if count := using.exclude(state=ClusterState.DELETED).count():
        clusters = "1 cluster is" if count == 1 else f"{count} clusters are"
        raise Conflict(f"{clusters} made of it. Give {'it' if count == 1 else 'them'} another profile first.")
    attached = ClusterAddOn.objects.filter(version__in=versions)
    if count := attached.exclude(cluster__state=ClusterState.DELETED).count():
        clusters = "1 cluster has" if count == 1 else f"{count} clusters have"
        raise Conflict(f"{clusters} it attached. Detach it there first: Settings, Update profile.")
    using.update(profile_version=None)
    attached.delete()
