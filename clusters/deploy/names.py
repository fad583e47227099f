"""The names that a cluster's virtual machines will have, and which of them are taken in their folder."""

from collections.abc import Iterable

from clusters.deploy.offers import Offer, ask
from clusters.models import PoolRole
from clusters.names import label, machine_name
from gateways.models import CloudAccount
from gateways.prerequisites import Scope
from gateways.prerequisites.objects import machines_folder
from palette_portal.vsphere.machines.looking import names_in_folder

CONTROL_PLANE = "cp"
MOST_MASTERS = 5


def short_name(role: PoolRole, pool: str) -> str:
    """What a pool is called in the names of its machines."""
    return CONTROL_PLANE if role == PoolRole.CONTROL_PLANE else pool


def machine_names(cluster_name: str, short: str, size: int) -> list[str]:
    return [machine_name(cluster_name, pool=short, index=index) for index in range(1, size + 1)]


def taken_names(
    account: CloudAccount,
    offer: Offer,
    *,
    folder_moid: str,
    cluster_name: str,
    own_folder: bool,
    planned: Iterable[str] = (),
) -> list[str]:
    """Of the planned names, else of those that a master pool can have. Raise VSphereError."""
    target = _own_folder(offer, folder_moid, cluster_name) if own_folder else folder_moid
    if not target:
        return []
    there = ask(account, lambda vcenter: names_in_folder(vcenter, target))
    wanted = list(planned) or machine_names(cluster_name, CONTROL_PLANE, MOST_MASTERS)
    return [name for name in wanted if name in there]


def _own_folder(offer: Offer, folder_moid: str, cluster_name: str) -> str:
    """A folder of the cluster's name in the chosen one; empty while there is none."""
    wanted = Scope(folder_moid=folder_moid, own_folder=label(cluster_name))
    folder = machines_folder(wanted, offer.inventory)
    return folder.moid if folder else ""
