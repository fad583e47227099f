"""Load a cluster and check the right to it in one call."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from clusters.models import Cluster, ClusterPurpose
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, check, reason_against
from palette_portal.tenants.requests import signed_in


@dataclass(frozen=True)
class Rights:
    """Why this person may not, as sentences; empty where they may. What state forbids is not in here."""

    change: str
    delete: str
    force_delete: str
    kubeconfig: str


def rights_of(user: User, cluster: Cluster) -> Rights:
    def reason(permission: Permission) -> str:
        return reason_against(user, permission, project=cluster.project)

    if cluster.purpose == ClusterPurpose.GATEWAY:
        denied = reason(Permission.MANAGE_GATEWAYS)
        return Rights(denied, denied, denied, kubeconfig=reason(Permission.DOWNLOAD_KUBECONFIG))
    return Rights(
        change=reason(Permission.EDIT_CLUSTERS),
        delete=reason(Permission.DELETE_CLUSTERS),
        force_delete=reason(Permission.FORCE_DELETE_CLUSTERS),
        kubeconfig=reason(Permission.DOWNLOAD_KUBECONFIG),
    )


def get_cluster_or_404(request: HttpRequest, cluster_id: UUID, *shown: str) -> Cluster:
    """`shown` are relations that a page needs besides project and account; each costs time."""
    user = signed_in(request)
    visible = Cluster.objects.visible_to(user).select_related("cloud_account", *shown)
    cluster = get_object_or_404(visible, pk=cluster_id)
    for project in user.visible_projects:  # which every page reads for its navigation
        if project.pk == cluster.project_id:
            cluster.project = project
    return cluster


def get_cluster_for_change(request: HttpRequest, cluster_id: UUID) -> Cluster:
    """Raise Denied for people who may look but not change."""
    cluster = get_cluster_or_404(request, cluster_id)
    gateway = cluster.purpose == ClusterPurpose.GATEWAY
    permission = Permission.MANAGE_GATEWAYS if gateway else Permission.EDIT_CLUSTERS
    check(signed_in(request), permission, project=cluster.project)
    return cluster
