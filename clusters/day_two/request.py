"""From a pool's form to what the actions take."""

from dataclasses import replace

from clusters.actions.requests import PlacementRequest, PoolRequest
from clusters.deploy.forms.pool_fields import NodePoolForm
from clusters.deploy.request import pool_request
from clusters.models import AddressAllocation, Cluster, MachinePool
from ippools.models import IPPool


def request_from(form: NodePoolForm, cluster: Cluster) -> PoolRequest:
    is_dhcp = cluster.address_allocation == AddressAllocation.DHCP
    known = {} if is_dhcp else {str(pool.pk): pool for pool in IPPool.objects.filter(gateway=cluster.gateway)}
    return pool_request(form.role, form.values(), known, is_dhcp=is_dhcp)


def edit_request_from(form: NodePoolForm, pool: MachinePool) -> PoolRequest:
    """Places whose choices stay keep their names: a tag or a name that changed in vCenter moves no node."""
    request, known = request_from(form, pool.cluster), _places(pool)
    same = {_choices(place): place for place in known}
    places = tuple(same.get(_choices(place), place) for place in request.placements)
    return replace(request, placements=places if pool.is_worker else known, size=pool.size)


def _choices(place: PlacementRequest) -> tuple[str, ...]:
    return (
        place.compute_cluster_moid,
        place.resource_pool_moid,
        place.datastore_moid,
        place.network_moid,
    )


def _places(pool: MachinePool) -> tuple[PlacementRequest, ...]:
    columns = PlacementRequest.__dataclass_fields__
    return tuple(
        PlacementRequest(**{name: getattr(place, name) for name in columns})
        for place in pool.placements.filter(is_given_up=False)
    )
