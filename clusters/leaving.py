"""What pages show of a cluster that can go, goes, or is gone: the menu's items, and what it leaves behind."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from clusters.actions.leaving import check_force_deletable, force_deletable_at
from clusters.models import Cluster, LeftoverKind
from clusters.states import LEAVING, ClusterState, check_abortable, check_cluster_deletable
from clusters.views.loading import Rights
from palette_portal.http import Conflict
from palette_portal.tenants.templatetags.portal import count_down

PROVISIONING = (ClusterState.PENDING, ClusterState.PROVISIONING)


def leaving_context(cluster: Cluster, rights: Rights) -> dict[str, Any]:
    """Each reason is empty for what is possible; Force Delete is shown to those who may once do it."""
    may_force = rights.force_delete == "" and cluster.state != ClusterState.DELETED
    return {
        "shows_abort": cluster.state in PROVISIONING,
        "abort_reason": rights.delete or _reason(check_abortable, cluster),
        "delete_reason": rights.delete or _reason(check_cluster_deletable, cluster),
        "shows_force": may_force,
        "force_reason": _force_reason(cluster) if may_force else "",
        "force_seconds": _seconds_to_force(cluster) if may_force else 0,
    }


def leftovers_context(cluster: Cluster, rights: Rights) -> dict[str, Any]:
    """Volumes stay by intention; of the rest one wants to see that it is gone."""
    rows = list(cluster.leftovers.all()) if cluster.state in LEAVING else []
    others = sorted(
        (row for row in rows if row.kind != LeftoverKind.VOLUME), key=lambda row: _ORDER.index(row.kind)
    )
    return {
        "cluster": cluster,
        "leftovers": others,
        "leftovers_open": sum(row.gone_at is None for row in others),
        "leftovers_checked_at": max((row.checked_at for row in others if row.checked_at), default=None),
        "volumes": [row for row in rows if row.kind == LeftoverKind.VOLUME],
        "check_denied": rights.delete or ("" if cluster.cloud_account_id else _NO_ACCOUNT),
    }


# Machines first: the rest goes with them.
_ORDER = list(LeftoverKind.values)
_NO_ACCOUNT = "The cloud account was deleted: vCenter cannot be asked any more."


def _reason(check: Callable[[Cluster], None], cluster: Cluster) -> str:
    try:
        check(cluster)
    except Conflict as conflict:
        return conflict.reason
    return ""


def _force_reason(cluster: Cluster) -> str | SafeString:
    reason = _reason(check_force_deletable, cluster)
    if reason and _seconds_to_force(cluster):
        at = force_deletable_at(cluster)
        return format_html("Enabled in {}, at {} UTC", count_down(at), f"{at:%H:%M}")
    return reason


def _seconds_to_force(cluster: Cluster) -> int:
    """0 when it does not count down. The page asks again then; what counts is the database's clock."""
    if cluster.state != ClusterState.DELETING:
        return 0
    return max(0, round((force_deletable_at(cluster) - _now()).total_seconds()) + 1)


def _now() -> datetime:
    return timezone.now()
