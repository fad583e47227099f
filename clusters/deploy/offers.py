"""What a cloud account's vCenter offers: inventory, zone names, capacity; read within a time limit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeVar

from django.core.cache import cache

from gateways.logins import LOGINS, note_refusal
from gateways.models import CloudAccount
from gateways.placement import CACHE_SECONDS, LIMIT_SECONDS, NOTHING, Choices
from gateways.time_limit import TooManyAtOnce, within
from palette_portal.vsphere.capacity import Capacity, read_capacity
from palette_portal.vsphere.errors import LoginRefused, Unreachable, VSphereError
from palette_portal.vsphere.inventory import Inventory, read_inventory
from palette_portal.vsphere.session import VCenter, sessions
from palette_portal.vsphere.tags import Places, read_places

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Offer:
    inventory: Inventory
    places: Places
    capacities: Mapping[str, Capacity] = field(default_factory=dict)

    @property
    def choices(self) -> Choices:
        return Choices(self.inventory)

    def zone_of(self, compute_cluster_moid: str) -> str:
        """The name from the k8s-zone tag, else the compute cluster's own."""
        tagged = self.places.zones.get(compute_cluster_moid, "")
        names = (
            cluster.name
            for cluster in self.inventory.compute_clusters
            if cluster.moid == compute_cluster_moid
        )
        return tagged or next(names, "")

    def has_zone_tag(self, compute_cluster_moid: str) -> bool:
        return compute_cluster_moid in self.places.zones

    def region_of(self, datacenter_moid: str) -> str:
        return self.places.regions.get(datacenter_moid, "")


NO_OFFER = Offer(NOTHING, Places({}, {}))


def cached_offer(account: CloudAccount) -> Offer | None:
    offer: Offer | None = cache.get(_cache_key(account))
    return offer


def fetch_offer(account: CloudAccount) -> Offer:
    """Read it from vCenter and keep it for a minute. Raise VSphereError."""
    offer = ask(account, _read)
    cache.set(_cache_key(account), offer, CACHE_SECONDS)
    return offer


def get_offer(account: CloudAccount) -> Offer:
    return cached_offer(account) or fetch_offer(account)


def ask(account: CloudAccount, question: Callable[[VCenter], Answer]) -> Answer:
    """Raise VSphereError, also when the answer takes too long; a login that is refused is not tried again."""
    if account.refused_at is not None:
        raise LoginRefused(account.refusal, _REFUSED, remembered=True)
    credentials = account.credentials()
    try:
        answer = within(LIMIT_SECONDS, lambda: question(sessions.get(credentials)))
    except TooManyAtOnce as busy:
        raise Unreachable(
            "The portal is busy asking vCenter for others.", "Try again in a few seconds."
        ) from busy
    except VSphereError as error:
        note_refusal(account, error)
        raise
    if answer is None:
        raise Unreachable(
            f"{credentials.server} did not finish answering within {LIMIT_SECONDS:.0f} seconds."
        )
    return answer


_REFUSED = (
    f"Correct or test the login on the page of the cloud account; vCenter locks users after {LOGINS} tries."
)


def _read(vcenter: VCenter) -> Offer:
    inventory = read_inventory(vcenter)
    capacities = {
        cluster.moid: read_capacity(vcenter, cluster.moid)
        for cluster in inventory.compute_clusters
        if cluster.host_moids
    }
    return Offer(inventory, _places(vcenter, inventory), capacities)


def _places(vcenter: VCenter, inventory: Inventory) -> Places:
    """Without the right to read tags, zones are named after their compute clusters."""
    try:
        return read_places(vcenter, inventory)
    except VSphereError:
        return Places({}, {})


def _cache_key(account: CloudAccount) -> str:
    login = f"{account.vcenter_server}\n{account.username}\n{account.password}"
    return f"deploy-offer:{account.pk}:{sha256(login.encode()).hexdigest()[:16]}"
