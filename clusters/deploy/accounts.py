"""Which cloud accounts a project's cluster can be deployed with."""

from clusters.deploy.drafts import PLACEMENT, page_values
from clusters.models import DeployDraft
from gateways.models import CloudAccount
from gateways.states import GatewayState
from palette_portal.tenants.models import Project


def offered_accounts(project: Project) -> list[CloudAccount]:
    """Those that the project may use and whose gateway runs."""
    return [account for account in _usable(project) if account.gateway.state == GatewayState.RUNNING]


def reasons_not_offered(project: Project) -> str:
    """Of accounts that people may look for."""
    waiting = [account for account in _usable(project) if account.gateway.state != GatewayState.RUNNING]
    if not waiting:
        return ""
    listed = ", ".join(f"{account.name} (its gateway is {account.gateway.state})" for account in waiting)
    return f"Not offered: {listed}."


def account_of(draft: DeployDraft) -> CloudAccount | None:
    wanted = page_values(draft, PLACEMENT).get("cloud_account")
    return next((account for account in offered_accounts(draft.project) if str(account.pk) == wanted), None)


def _usable(project: Project) -> list[CloudAccount]:
    """Asked once in a request: the project is loaded anew in each."""
    known: list[CloudAccount] | None = project.__dict__.get("_deploy_accounts")
    if known is None:
        known = list(CloudAccount.objects.usable_in(project).select_related("gateway", "project"))
        project.__dict__["_deploy_accounts"] = known
    return known
