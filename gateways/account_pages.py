"""What the pages of cloud accounts show to a person: rendered by their views first, then by their streams."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from clusters.models import Cluster
from gateways.models import CloudAccount
from gateways.prerequisites.actions import latest_report
from palette_portal.orchestration.models import Event, Operation, OperationKind
from palette_portal.orchestration.progress import progress_of
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, can, reason_against

EVENTS_SHOWN = 20


def list_context(user: User) -> dict[str, Any]:
    accounts = list(CloudAccount.objects.visible_to(user).select_related("gateway", "project"))
    accounts.sort(key=lambda account: (account.project is not None, account.scope, account.name))
    clusters, hidden = _clusters_of(user, accounts)
    denied = {account.pk: _reason_against_change(user, account) for account in accounts}
    return {
        "rows": [
            (account, clusters[account.pk], hidden[account.pk], denied[account.pk]) for account in accounts
        ]
    }


def detail_context(user: User, account: CloudAccount) -> dict[str, Any]:
    clusters, hidden = _clusters_of(user, [account])
    return {
        "account": account,
        "clusters": clusters[account.pk],
        "hidden": hidden[account.pk],
        "events": Event.objects.of(account.subject).current().order_by("-number")[:EVENTS_SHOWN],
        "sees_gateways": can(user, Permission.VIEW_GATEWAYS),
        "orphans_denied": reason_against_orphans(user, account),
        "change_denied": _reason_against_change(user, account),
        "latest": latest_report(cloud_account=account, deployment=""),
    }


def _reason_against_change(user: User, account: CloudAccount) -> str:
    return reason_against(user, Permission.MANAGE_CLOUD_ACCOUNTS, project=account.project)


def reason_against_orphans(user: User, account: CloudAccount) -> str:
    """A vCenter's machines are for those who manage the account, and for readers of the whole tenant."""
    if can(user, Permission.VIEW_CLOUD_ACCOUNTS):
        return ""
    return reason_against(user, Permission.MANAGE_CLOUD_ACCOUNTS, project=account.project)


def clean_up_context(account: CloudAccount) -> dict[str, Any]:
    """The last removal of orphans: what becomes of each machine."""
    operations = Operation.objects.of(account.subject).filter(kind=OperationKind.CLEAN_UP)
    operation = operations.order_by("-created_at").first()
    return {"account": account, "clean_up": progress_of(operation) if operation else None}


def _clusters_of(
    user: User, accounts: Iterable[CloudAccount]
) -> tuple[dict[UUID, list[Cluster]], dict[UUID, int]]:
    """By account: the clusters that the person sees, and how many others there are."""
    clusters: dict[UUID, list[Cluster]] = defaultdict(list)
    hidden: dict[UUID, int] = defaultdict(int)
    visible = set(Cluster.objects.visible_to(user).present().values_list("pk", flat=True))
    using = Cluster.objects.present().filter(cloud_account__in=[account.pk for account in accounts])
    for cluster in using.order_by("name"):
        assert cluster.cloud_account_id is not None
        if cluster.pk in visible:
            clusters[cluster.cloud_account_id].append(cluster)
        else:
            hidden[cluster.cloud_account_id] += 1
    return clusters, hidden
