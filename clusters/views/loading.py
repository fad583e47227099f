"""Load a cluster and check the right to it in one call."""

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from clusters.models import Cluster, ClusterPurpose
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, check, reason_against
from palette_portal.tenants.requests import signed_in


def get_cluster_or_404(request: HttpRequest, cluster_id: UUID) -> Cluster:
    clusters = Cluster.objects.visible_to(signed_in(request)).select_related(
        "gateway__release", "cloud_account", "created_by", "project"
    )
    return get_object_or_404(clusters, pk=cluster_id)


def get_cluster_for_change(request: HttpRequest, cluster_id: UUID) -> Cluster:
    """Raise Denied for people who may look but not change."""
    cluster = get_cluster_or_404(request, cluster_id)
    check(signed_in(request), _change_permission(cluster), project=cluster.project)
    return cluster


def reason_against_change(user: User, cluster: Cluster) -> str:
    return reason_against(user, _change_permission(cluster), project=cluster.project)


def _change_permission(cluster: Cluster) -> Permission:
    if cluster.purpose == ClusterPurpose.GATEWAY:
        return Permission.MANAGE_GATEWAYS
    return Permission.EDIT_CLUSTERS
