"""Many clusters for tests of the list."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from clusters.models import Cluster
from clusters.profiles.models import ClusterProfile, ProfileType, ProfileVersion
from tests.factories import make_tenant


def copies_of(cluster: Cluster, count: int, **fields: Any) -> list[Cluster]:
    """All made at the same moment, so that only the id orders them."""
    columns = {field.attname: getattr(cluster, field.attname) for field in Cluster._meta.concrete_fields}
    start = Cluster.objects.count() + 1
    return Cluster.objects.bulk_create(
        Cluster(**{**columns, "id": UUID(int=number), "name": f"cluster-{number:04}", **fields})
        for number in range(start, start + count)
    )


def make_profile(
    name: str, version: str = "1.0.0", *, published: bool = True, type: str = ProfileType.FULL
) -> ProfileVersion:
    profile = ClusterProfile.objects.get_or_create(tenant=make_tenant(), name=name, type=type)[0]
    major, minor, patch = map(int, version.split("."))
    return ProfileVersion.objects.create(
        profile=profile,
        version=version,
        rank=major * 10**12 + minor * 10**6 + patch,
        published_at=timezone.now() if published else None,
    )


def deleted(cluster: Cluster, *, hours_ago: float) -> Cluster:
    cluster.state, cluster.deleted_at = "Deleted", timezone.now() - timedelta(hours=hours_ago)
    cluster.save(update_fields=["state", "deleted_at"])
    return cluster
