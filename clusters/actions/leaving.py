"""Delete, Abort and Force Delete: how a tenant cluster goes, and when each of them is possible."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Coalesce, Now

from clusters.actions.removal import remove_cluster, start_leaving
from clusters.models import Cluster, ClusterPurpose
from clusters.removal import forced_plan
from clusters.states import ClusterState, check_abortable, check_cluster_deletable
from gateways.login_test import why_silent
from palette_portal.http import Conflict
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.tenants import audit
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, check
from palette_portal.vsphere.errors import CertificateNotTrusted, LoginRefused


class LoginDoesNotWork(Conflict):
    """Nothing was started: the deletion would wait for credentials that vCenter takes."""

    def __init__(self, cluster: Cluster, error: LoginRefused | CertificateNotTrusted) -> None:
        self.account = cluster.cloud_account
        super().__init__(
            f"vCenter does not accept the cloud account {self.account}. {error.sentence} {error.hint}".strip()
        )


def delete_cluster(*, cluster: Cluster, by: User) -> Operation:
    """Raise Denied or Conflict; LoginDoesNotWork when vCenter refuses the account's login.

    A vCenter that does not answer is no reason not to begin: the steps wait for it.
    """
    _check_right(cluster, Permission.DELETE_CLUSTERS, by)
    check_cluster_deletable(cluster)
    _check_login(cluster)
    with transaction.atomic():
        locked = _locked(cluster)
        check_cluster_deletable(locked)
        _audit(locked, "delete", by)
        return remove_cluster(cluster=locked, kind=OperationKind.DELETE, by=by)


@transaction.atomic
def abort_cluster(*, cluster: Cluster, by: User) -> Operation:
    """Take a provisioning back, also one that waits in a queue. Raise Denied or Conflict."""
    _check_right(cluster, Permission.DELETE_CLUSTERS, by)
    locked = _locked(cluster)
    check_abortable(locked)
    _audit(locked, "abort", by)
    return remove_cluster(cluster=locked, kind=OperationKind.ABORT, by=by)


@transaction.atomic
def force_delete_cluster(*, cluster: Cluster, by: User) -> Operation:
    """Give up what cannot be removed. Raise Denied, or Conflict before its time."""
    _check_right(cluster, Permission.FORCE_DELETE_CLUSTERS, by)
    locked = _locked(cluster)
    check_force_deletable(locked)
    _audit(locked, "force-delete", by, deleting_since=str(locked.deleting_at))
    return start_leaving(cluster=locked, kind=OperationKind.FORCE_DELETE, plan=forced_plan, by=by)


def check_force_deletable(cluster: Cluster) -> None:
    """Raise Conflict with the reason. The time is the database's: no other clock counts."""
    if cluster.state != ClusterState.DELETING:
        raise Conflict("Only a cluster that is Deleting can be forced: delete or abort it first.")
    if _forced(cluster):
        raise Conflict("Its deletion is being forced already.")
    if not _is_over_time(cluster):
        raise Conflict(f"The cluster can be forced from {force_deletable_at(cluster):%H:%M} UTC on.")


def force_deletable_at(cluster: Cluster) -> datetime:
    """When the deletion has been given its time."""
    return (cluster.deleting_at or cluster.created_at) + _patience()


def _is_over_time(cluster: Cluster) -> bool:
    since = Cluster.objects.annotate(since=Coalesce("deleting_at", "created_at"))
    return since.filter(pk=cluster.pk, since__lte=Now() - _patience()).exists()


def _forced(cluster: Cluster) -> bool:
    return Operation.objects.of(cluster.subject).active().filter(kind=OperationKind.FORCE_DELETE).exists()


def _patience() -> timedelta:
    return timedelta(minutes=settings.CLUSTER_FORCE_DELETE_MINUTES)


def _check_right(cluster: Cluster, permission: Permission, by: User) -> None:
    if cluster.purpose == ClusterPurpose.GATEWAY:
        raise Conflict("This cluster is the body of a gateway: delete or reset the gateway.")
    check(by, permission, project=cluster.project)


def _check_login(cluster: Cluster) -> None:
    assert cluster.cloud_account is not None  # the database sees to it until the cluster is Deleted
    try:
        why_silent(cluster.cloud_account)
    except (LoginRefused, CertificateNotTrusted) as error:
        raise LoginDoesNotWork(cluster, error) from error


def _locked(cluster: Cluster) -> Cluster:
    rows = Cluster.objects.select_related("tenant", "project", "cloud_account")
    return rows.select_for_update(of=("self",)).get(pk=cluster.pk)


def _audit(cluster: Cluster, action: str, by: User, **detail: Any) -> None:
    audit.record(
        by=by,
        action=action,
        obj_kind="cluster",
        obj_id=cluster.pk,
        obj_name=cluster.name,
        tenant=cluster.tenant,
        project=cluster.project,
        **detail,
    )
