"""Everything that will be made, before it is made: machines, addresses, and how long it may take."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from clusters.actions.requests import ClusterRequest, PlacementRequest, PoolRequest
from clusters.deploy.names import machine_names, short_name
from clusters.deploy.room import Demand, demands
from clusters.models import AddressAllocation, PoolRole
from clusters.names import label
from gateways.placement import size_in_words
from ippools.models import IPPool
from ippools.usage import with_counts

# What each part of provisioning usually takes, in minutes.
IMPORT_MINUTES, FIRST_NODE_MINUTES, NEXT_MASTER_MINUTES, WORKERS_MINUTES, PACKS_MINUTES = 6, 5, 3, 4, 2


@dataclass(frozen=True)
class PlannedMachine:
    name: str
    pool: PoolRequest
    place: PlacementRequest
    # Empty with DHCP, and where the pool has none left.
    address: str
    # What the zone has left with this machine and those before it.
    left: str

    @property
    def memory_gb(self) -> int:
        return self.pool.memory_mib // 1024


@dataclass(frozen=True)
class Claim:
    """What is taken from one IP pool."""

    demand: Demand
    addresses: list[str]


@dataclass(frozen=True)
class Review:
    request: ClusterRequest
    # By the compute cluster's moid; as far as it is known.
    free_memory_mib: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_static(self) -> bool:
        return self.request.address_allocation == AddressAllocation.STATIC

    @property
    def folder(self) -> str:
        own = f"/{label(self.request.name)}" if self.request.has_own_folder else ""
        return f"{self.request.folder_name}{own}"

    @cached_property
    def _placed(self) -> list[tuple[str, PoolRequest, PlacementRequest]]:
        """In the order in which addresses are claimed: by role, then by the pool's name."""
        pools = sorted(self.request.pools, key=lambda pool: (pool.role, pool.name))
        return [
            (name, pool, pool.placements[index % len(pool.placements)])
            for pool in pools
            for index, name in enumerate(
                machine_names(self.request.name, short_name(pool.role, pool.name), pool.size)
            )
        ]

    @cached_property
    def machines(self) -> list[PlannedMachine]:
        taken: dict[str, int] = defaultdict(int)
        planned = []
        for name, pool, place in self._placed:
            taken[place.compute_cluster_moid] += pool.memory_mib
            left = self._left(place.compute_cluster_moid, taken[place.compute_cluster_moid])
            planned.append(PlannedMachine(name, pool, place, self._next_address(pool), left))
        return planned

    def _left(self, compute_cluster_moid: str, taken_mib: int) -> str:
        free = self.free_memory_mib.get(compute_cluster_moid)
        if free is None:
            return ""
        left = free - taken_mib
        return size_in_words(left * 1024**2) if left >= 0 else f"{size_in_words(-left * 1024**2)} too little"

    def _next_address(self, pool: PoolRequest) -> str:
        return next(self._free[pool.ip_pool.pk], "") if pool.ip_pool else ""

    @cached_property
    def _free(self) -> dict[object, Iterator[str]]:
        return {ip_pool.pk: free_addresses(ip_pool) for ip_pool in self.request.reservations}

    @cached_property
    def endpoint(self) -> str:
        """The virtual IP is claimed after the machines' addresses."""
        if not self.is_static:
            return self.request.endpoint_host
        assert self.machines
        return self._next_address(next(pool for pool in self.request.pools if pool.is_control_plane))

    @cached_property
    def claims(self) -> list[Claim]:
        needs = self.request.reservations
        counted = with_counts(IPPool.objects.filter(pk__in=[pool.pk for pool in needs]))
        wanted = [(str(pool.pk), needed) for pool, needed in needs.items()]
        return [Claim(demand, self._addresses_of(demand.pool)) for demand in demands(list(counted), wanted)]

    def _addresses_of(self, ip_pool: IPPool) -> list[str]:
        nodes = [machine.address for machine in self.machines if machine.pool.ip_pool == ip_pool]
        master = next(pool for pool in self.request.pools if pool.is_control_plane)
        return [
            address
            for address in [*nodes, *([self.endpoint] if master.ip_pool == ip_pool else [])]
            if address
        ]

    @property
    def num_cpus(self) -> int:
        return sum(machine.pool.num_cpus for machine in self.machines)

    @property
    def memory_gb(self) -> int:
        return sum(machine.memory_gb for machine in self.machines)

    @property
    def disk_gb(self) -> int:
        return sum(machine.pool.disk_gib for machine in self.machines)

    def minutes(self, *, imports: bool) -> int:
        masters = sum(pool.size for pool in self.request.pools if pool.role == PoolRole.CONTROL_PLANE)
        workers = WORKERS_MINUTES if len(self.machines) > masters else 0
        later = (masters - 1) * NEXT_MASTER_MINUTES
        return (IMPORT_MINUTES if imports else 0) + FIRST_NODE_MINUTES + later + workers + PACKS_MINUTES


def free_addresses(ip_pool: IPPool) -> Iterator[str]:
    """As claiming will find them: the lowest first, without those that rest."""
    held = set(ip_pool.claims.held().values_list("address", flat=True))
    resting = set(ip_pool.returned.resting().values_list("address", flat=True))
    return (str(address) for address in ip_pool.addresses if str(address) not in held | resting)
