"""What the buttons and the Settings menu in the head of Cluster Details offer, and why not."""

from typing import Any

from clusters.actions.kubeconfig import reason_against_kubeconfig
from clusters.details import change_reason
from clusters.leaving import leaving_context
from clusters.models import Cluster, ClusterPurpose
from clusters.states import ClusterState
from clusters.views.loading import Rights
from gateways.states import (
    check_deletable,
    check_renamable,
    check_resettable,
    check_resizable,
    reason_against_state,
)
from palette_portal.orchestration.progress import Progress


def actions_context(cluster: Cluster, progress: Progress | None, rights: Rights) -> dict[str, Any]:
    """Context of clusters/_cluster_actions.html; each reason is empty for what is possible."""
    context: dict[str, Any] = {
        "cluster": cluster,
        "change_denied": rights.change,
        "kubeconfig_reason": rights.kubeconfig or reason_against_kubeconfig(cluster),
    }
    if cluster.purpose == ClusterPurpose.GATEWAY:
        return context | _gateway_reasons(cluster, rights)
    update = {"update_reason": change_reason(cluster, progress, rights)}
    return context | update | leaving_context(cluster, rights)


def _gateway_reasons(cluster: Cluster, rights: Rights) -> dict[str, str]:
    leaving = "Its cluster is being removed." if cluster.state == ClusterState.DELETING else ""
    denied = rights.change
    return {
        "reset_reason": denied or leaving or reason_against_state(check_resettable, cluster.gateway),
        "delete_reason": denied or reason_against_state(check_deletable, cluster.gateway),
        "anyway_reason": denied,
        "resize_reason": denied or leaving or reason_against_state(check_resizable, cluster.gateway),
        "rename_reason": denied or reason_against_state(check_renamable, cluster.gateway),
    }
