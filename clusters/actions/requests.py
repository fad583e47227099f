"""What a cluster shall be, as a page or a command asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from clusters.models import AddressAllocation, ClusterPurpose, PoolRole, RollingUpdate
from clusters.profiles.models import LayerKind, ProfileVersion
from clusters.profiles.render import LayerGroup, PlainLayer
from clusters.profiles.stack import Stacked, stacked
from gateways.models import CloudAccount, PrivateCloudGateway
from ippools.models import IPPool
from ippools.reservations import Reservation, node_pool
from palette_portal.bootstrap.nodes import DEFAULT_POD_CIDR, DEFAULT_SERVICE_CIDR, Taint
from palette_portal.tenants.models import Project


@dataclass(frozen=True)
class PlacementRequest:
    compute_cluster_moid: str
    compute_cluster_name: str
    resource_pool_moid: str
    resource_pool_name: str
    datastore_moid: str
    datastore_name: str
    network_moid: str
    network_name: str
    zone: str = ""


@dataclass(frozen=True)
class Autoscaling:
    minimum: int
    maximum: int


@dataclass(frozen=True)
class PoolRequest:
    """Machines are spread over the placements in turn. `surge` and `unavailable` count with CUSTOM only."""

    name: str
    role: PoolRole
    size: int
    num_cpus: int
    memory_mib: int
    disk_gib: int
    placements: tuple[PlacementRequest, ...]
    ip_pool: IPPool | None = None
    instance_type: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    takes_workloads: bool = True
    autoscaling: Autoscaling | None = None
    rolling_update: RollingUpdate = RollingUpdate.EXPAND_FIRST
    surge: int = 1
    unavailable: int = 0

    @property
    def is_control_plane(self) -> bool:
        return self.role == PoolRole.CONTROL_PLANE

    @property
    def moves(self) -> tuple[int, int]:
        """How many machines more, and how many fewer than its size the pool may have while it is renewed."""
        fixed = {RollingUpdate.EXPAND_FIRST: (1, 0), RollingUpdate.CONTRACT_FIRST: (0, 1)}
        return fixed.get(self.rolling_update, (self.surge, self.unavailable))

    @property
    def reservation(self) -> Reservation:
        maximum = self.autoscaling.maximum if self.autoscaling else None
        surge, _ = self.moves
        return node_pool(self.size, is_master=self.is_control_plane, maximum=maximum, surge=surge)


@dataclass(frozen=True)
class LayerRequest:
    """One pack with the values the cluster has: the profile's, or what the wizard replaced them with."""

    kind: LayerKind
    pack: str
    pack_version: str
    values: str = ""


@dataclass(frozen=True)
class AddOnRequest:
    """An add-on profile on top of the cluster's own, with its packs as the cluster shall have them."""

    version: ProfileVersion
    layers: tuple[LayerRequest, ...]


@dataclass(frozen=True)
class StackRequest:
    """The cluster's profiles with all their packs and variables as they shall be."""

    version: ProfileVersion
    layers: tuple[LayerRequest, ...]
    # Values of variables, masked ones among them; by clusters.profiles.stack.
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    add_ons: tuple[AddOnRequest, ...] = ()

    @property
    def profiles(self) -> list[Stacked]:
        return stacked(self.version, [add_on.version for add_on in self.add_ons])

    @property
    def layers_by_profile(self) -> list[list[PlainLayer]]:
        rows = [self.layers, *(add_on.layers for add_on in self.add_ons)]
        return [[PlainLayer(**vars(layer)) for layer in layers] for layers in rows]

    @property
    def plain_layers(self) -> list[PlainLayer]:
        return [layer for layers in self.layers_by_profile for layer in layers]

    @property
    def groups(self) -> list[LayerGroup]:
        pairs = zip(self.profiles, self.layers_by_profile, strict=True)
        return [profile.group(layers, self.variables) for profile, layers in pairs]


@dataclass(frozen=True)
class ClusterRequest:
    """`endpoint_host` is given with DHCP only; with static addresses the pool gives the virtual IP."""

    name: str
    purpose: ClusterPurpose
    gateway: PrivateCloudGateway
    cloud_account: CloudAccount
    kubernetes_version: str
    image_template: str
    datacenter_moid: str
    datacenter_name: str
    folder_moid: str
    folder_name: str
    address_allocation: AddressAllocation
    pools: tuple[PoolRequest, ...]
    image_folder: str = "spectro-templates"
    image_url: str = ""
    has_own_folder: bool = False
    region: str = ""
    search_domain: str = ""
    endpoint_host: str = ""
    ssh_keys: tuple[str, ...] = ()
    ntp_servers: tuple[str, ...] = ()
    pod_cidr: str = DEFAULT_POD_CIDR
    service_cidr: str = DEFAULT_SERVICE_CIDR
    project: Project | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    profile_version: ProfileVersion | None = None
    layers: tuple[LayerRequest, ...] = ()
    # Values of the profiles' variables; masked ones are among them.
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    add_ons: tuple[AddOnRequest, ...] = ()

    @property
    def stack(self) -> StackRequest | None:
        """None for a cluster without a profile."""
        if self.profile_version is None:
            return None
        return StackRequest(self.profile_version, self.layers, self.variables, self.add_ons)

    @property
    def reservations(self) -> dict[IPPool, Reservation]:
        """What each IP pool has to have free: the sum of the node pools on it."""
        sums: dict[IPPool, Reservation] = {}
        for pool in self.pools:
            if pool.ip_pool is not None:
                sums[pool.ip_pool] = sums.get(pool.ip_pool, Reservation()) + pool.reservation
        return sums
