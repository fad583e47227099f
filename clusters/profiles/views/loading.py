from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from clusters.profiles.models import ClusterProfile, ProfileLayer, ProfileVersion
from palette_portal.http import Conflict
from palette_portal.tenants.models import Project, Tenant, User
from palette_portal.tenants.permissions import (
    Permission,
    check,
    check_somewhere,
    reason_against,
)
from palette_portal.tenants.requests import signed_in


def get_profile_or_404(request: HttpRequest, profile_id: UUID) -> ClusterProfile:
    """Raise Denied for people who see no profiles, Http404 for those of others."""
    user = signed_in(request)
    check_somewhere(user, Permission.VIEW_CLUSTER_PROFILES)
    profiles = ClusterProfile.objects.visible_to(user).select_related("tenant", "project", "created_by")
    return get_object_or_404(profiles, pk=profile_id)


def get_profile_for_change(request: HttpRequest, profile_id: UUID) -> ClusterProfile:
    """As above, and raise Denied for people who may look but not change."""
    profile = get_profile_or_404(request, profile_id)
    check(signed_in(request), Permission.MANAGE_CLUSTER_PROFILES, project=profile.project)
    return profile


def get_version_or_404(request: HttpRequest, profile_id: UUID, version: str) -> ProfileVersion:
    return _version(get_profile_or_404(request, profile_id), version)


def get_version_for_change(request: HttpRequest, profile_id: UUID, version: str) -> ProfileVersion:
    return _version(get_profile_for_change(request, profile_id), version)


def get_draft(request: HttpRequest, profile_id: UUID, version: str) -> ProfileVersion:
    """For pages that edit. Raise Conflict when it is published."""
    found = get_version_for_change(request, profile_id, version)
    if found.is_published:
        raise Conflict(f"{found} is published and never changes again. Make a new version of it.")
    return found


def get_layer(version: ProfileVersion, pack: str) -> ProfileLayer:
    layer: ProfileLayer = get_object_or_404(version.layers, pack=pack)
    layer.version = version
    return layer


def change_denied(user: User, profile: ClusterProfile) -> str:
    return reason_against(user, Permission.MANAGE_CLUSTER_PROFILES, project=profile.project)


def chosen_project(request: HttpRequest) -> Project | None:
    """The one in the scope switcher."""
    project: Project | None = request.project  # type: ignore[attr-defined]
    return project


def tenant_of(user: User) -> Tenant:
    tenant = user.tenant
    assert tenant is not None  # superusers have no pages here: own_tenant_id said so before
    return tenant


def url_of(version: ProfileVersion) -> str:
    return reverse("profiles:version", args=[version.profile_id, version.version])


def crumbs(
    *more: str, profile: ClusterProfile | None = None, version: ProfileVersion | None = None
) -> list[tuple[str, str]]:
    trail = [("Profiles", reverse("profiles:list"))]
    profile = version.profile if version else profile
    if profile:
        trail.append((profile.name, reverse("profiles:detail", args=[profile.pk])))
    if version:
        trail.append((version.version, url_of(version)))
    return [*trail, *((label, "") for label in more)]


def _version(profile: ClusterProfile, version: str) -> ProfileVersion:
    found: ProfileVersion = get_object_or_404(profile.versions, version=version)
    found.profile = profile
    return found
