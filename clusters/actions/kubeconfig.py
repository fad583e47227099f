"""A kubeconfig for one person and some hours: a client certificate made for this download, kept nowhere."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from clusters.models import Cluster, ClusterSecrets
from clusters.states import ClusterState
from palette_portal.bootstrap.pki import kubeconfig_expiry, load_pki, personal_kubeconfig
from palette_portal.bootstrap.secret import Secret
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import record_event
from palette_portal.orchestration.models import Severity
from palette_portal.tenants.audit import record
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, check

# By hours.
LIFETIMES = {8: "8 hours", 24: "24 hours", 168: "7 days"}


@dataclass(frozen=True)
class Kubeconfig:
    file_name: str
    content: Secret
    expires_at: datetime


def reason_against_kubeconfig(cluster: Cluster) -> str:
    if cluster.state in (ClusterState.DELETING, ClusterState.DELETED):
        return "The cluster is being deleted or gone."
    if not cluster.endpoint_host:
        return "The Kubernetes API has no address yet."
    if not ClusterSecrets.objects.filter(cluster=cluster).exists():
        return "The cluster's certificates are not made yet."
    return ""


@transaction.atomic
def issue_kubeconfig(*, cluster: Cluster, hours: int, by: User) -> Kubeconfig:
    """Raise Denied or Conflict. The certificate names the person, and so does the log of the cluster."""
    check(by, Permission.DOWNLOAD_KUBECONFIG, project=cluster.project)
    if reason := reason_against_kubeconfig(cluster):
        raise Conflict(reason)
    content = personal_kubeconfig(
        load_pki(cluster.secrets.pki),
        cluster_name=cluster.name,
        server=f"https://{cluster.endpoint}",
        person=by.email,
        lifetime=timedelta(hours=hours),
    )
    issued = Kubeconfig(f"{cluster.name}.kubeconfig", content, kubeconfig_expiry(content))
    _tell(cluster, issued, hours, by)
    return issued


def _tell(cluster: Cluster, issued: Kubeconfig, hours: int, by: User) -> None:
    expires = issued.expires_at.isoformat(timespec="seconds")
    record(
        by=by,
        action="download-kubeconfig",
        obj_kind="cluster",
        obj_id=cluster.pk,
        obj_name=cluster.name,
        tenant=cluster.tenant,
        project=cluster.project,
        valid_for=LIFETIMES[hours],
        expires_at=expires,
    )
    record_event(
        subject=cluster.subject,
        severity=Severity.INFO,
        reason="KubeconfigDownloaded",
        message=f"{by} downloaded a kubeconfig that is valid for {LIFETIMES[hours]}.",
    )
