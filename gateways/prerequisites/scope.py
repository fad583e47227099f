"""What a check is asked about: where machines are to go, what they need. Empty = the account in general."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ippools.models import IPPool
from ippools.reservations import Reservation

IMAGE_FOLDER = "spectro-templates"


@dataclass(frozen=True)
class Place:
    """One zone: a compute cluster and what was chosen in it."""

    zone: str
    compute_cluster_moid: str
    resource_pool_moid: str
    datastore_moid: str
    network_moid: str


@dataclass(frozen=True)
class WantedMachine:
    """`place` is the index of the place that it goes to."""

    name: str
    num_cpus: int
    memory_mib: int
    disk_gib: int
    place: int = 0


@dataclass(frozen=True)
class Scope:
    datacenter_moid: str = ""
    folder_moid: str = ""
    image_folder: str = IMAGE_FOLDER
    image_template: str = ""
    image_will_be_imported: bool = False
    places: tuple[Place, ...] = ()
    machines: tuple[WantedMachine, ...] = ()
    addresses: tuple[tuple[IPPool, Reservation], ...] = ()
    # A folder of this name in the folder takes the machines; it may not exist yet.
    own_folder: str = ""
    # What the cluster calls its networks, and their CIDRs: no addresses of a pool may be in them.
    networks: tuple[tuple[str, str], ...] = ()

    @property
    def is_deployment(self) -> bool:
        return bool(self.places)

    def as_json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in PLAIN}
        return {
            **plain,
            "places": [asdict(place) for place in self.places],
            "machines": [asdict(machine) for machine in self.machines],
            "addresses": [[str(pool.pk), asdict(needed)] for pool, needed in self.addresses],
            "networks": [list(network) for network in self.networks],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Scope":
        """A pool that is gone by now is left out."""
        wanted = value.get("addresses", ())
        pools = {str(pool.pk): pool for pool in IPPool.objects.filter(pk__in=[key for key, _ in wanted])}
        return cls(
            **{name: value[name] for name in PLAIN if name in value},
            places=tuple(Place(**place) for place in value.get("places", ())),
            machines=tuple(WantedMachine(**machine) for machine in value.get("machines", ())),
            addresses=tuple((pools[key], Reservation(**needed)) for key, needed in wanted if key in pools),
            networks=tuple((what, cidr) for what, cidr in value.get("networks", ())),
        )


PLAIN = (
    "datacenter_moid",
    "folder_moid",
    "own_folder",
    "image_folder",
    "image_template",
    "image_will_be_imported",
)
EMPTY = Scope()
