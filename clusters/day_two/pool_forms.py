"""A node pool of a running cluster as the wizard's form, with what cannot change any more locked."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict

from clusters.deploy.forms.pool_fields import MasterPoolForm, NodePoolForm, PoolContext, WorkerPoolForm
from clusters.deploy.forms.pools import typed_pool
from clusters.deploy.forms.zones import ZoneOptions
from clusters.deploy.offers import Offer
from clusters.deploy.sizes import CUSTOM, MIB_PER_GB
from clusters.models import AddressAllocation, Cluster, MachinePool, Placement, PoolRole
from ippools.models import IPPool
from ippools.usage import with_counts

PREFIX = "w1"
SAME_NAME = "A node pool keeps its name."
SAME_PLACE = "The master pool cannot move: its nodes hold the cluster's data on their datastores."
OTHER_SIZE = "Changed with Resize, so that its nodes stay what they are."


class EditWorkerForm(WorkerPoolForm):
    def __init__(self, data: QueryDict | None = None, **options: Any) -> None:
        super().__init__(data, **options)
        _lock(self, "name", SAME_NAME)
        if not self.is_autoscaled:
            _lock(self, "size", OTHER_SIZE)
        if "ip_pool" in self.fields:
            _lock(self, "ip_pool", "A node pool keeps its IP pool.")


class EditMasterForm(MasterPoolForm):
    def __init__(self, data: QueryDict | None = None, **options: Any) -> None:
        super().__init__(data, **options)
        _lock(self, "name", SAME_NAME)
        _lock(self, "size", OTHER_SIZE)
        if "ip_pool" in self.fields:
            _lock(self, "ip_pool", "A node pool keeps its IP pool.")

    def _offer_zones(
        self, data: QueryDict | None, places: Mapping[str, Any], like: Mapping[str, Any]
    ) -> None:
        _lock(self, "zones", SAME_PLACE)
        super()._offer_zones(data, places, like)
        for zone in self.zone_forms:
            for field in zone.fields.values():
                field.disabled = True


def _lock(form: forms.Form, name: str, why: str) -> None:
    form.fields[name].disabled = True
    form.fields[name].help_text = why


def pool_context(cluster: Cluster, offer: Offer) -> PoolContext:
    zones = ZoneOptions(offer, cluster.datacenter_moid)
    if cluster.address_allocation == AddressAllocation.DHCP:
        return PoolContext(zones, None)
    return PoolContext(zones, list(with_counts(IPPool.objects.filter(gateway=cluster.gateway))))


def new_pool_form(cluster: Cluster, offer: Offer, data: QueryDict | None = None) -> WorkerPoolForm:
    names = set(cluster.machine_pools.values_list("name", flat=True))
    context, like = pool_context(cluster, offer), _master_values(cluster)
    return WorkerPoolForm(
        data, prefix=PREFIX, context=context, initial={"name": _free_name(names)}, like=like
    )


def edit_pool_form(pool: MachinePool, offer: Offer, data: QueryDict | None = None) -> NodePoolForm:
    form_class = EditWorkerForm if pool.is_worker else EditMasterForm
    context = pool_context(pool.cluster, offer)
    return form_class(data, prefix=PREFIX, context=context, initial=pool_values(pool))


def redrawn_pool_form(pool: MachinePool, offer: Offer, data: QueryDict) -> NodePoolForm:
    """After a choice: other fields, the same values, nothing refused yet."""
    form_class = EditWorkerForm if pool.is_worker else EditMasterForm
    locked = {"name", "ip_pool", *(() if pool.is_worker else ("size", "zones"))}
    typed = typed_pool(data, PREFIX, form_class)
    kept = {name: value for name, value in typed.items() if name not in locked}
    context = pool_context(pool.cluster, offer)
    return form_class(prefix=PREFIX, context=context, initial={**pool_values(pool), **kept})


def redrawn_new_form(cluster: Cluster, offer: Offer, data: QueryDict) -> NodePoolForm:
    typed = typed_pool(data, PREFIX, WorkerPoolForm)
    context, like = pool_context(cluster, offer), _master_values(cluster)
    return WorkerPoolForm(prefix=PREFIX, context=context, initial=typed, like=like)


def _master_values(cluster: Cluster) -> dict[str, Any]:
    """What a zone of a new pool is filled with at first."""
    masters = cluster.machine_pools.filter(role=PoolRole.CONTROL_PLANE)
    return pool_values(masters.prefetch_related("placements").get())


def pool_values(pool: MachinePool) -> dict[str, Any]:
    """The pool as the form's values."""
    return {
        "name": pool.name,
        "size": pool.size,
        "instance_type": pool.instance_type or CUSTOM,
        "num_cpus": pool.num_cpus,
        "memory_gb": pool.memory_mib // MIB_PER_GB,
        "disk_gib": pool.disk_gib,
        "labels": pool.labels,
        "taints": pool.taints,
        "takes_workloads": pool.takes_workloads,
        "autoscales": pool.autoscales,
        "minimum_size": pool.minimum_size or 1,
        "maximum_size": pool.maximum_size or max(pool.size, 3),
        "rolling_update": pool.rolling_update,
        "surge": pool.surge,
        "unavailable": pool.unavailable,
        "zones": [_zone(place) for place in pool.placements.all() if not place.is_given_up],
        "ip_pool": str(pool.ip_pool_id or ""),
    }


def _zone(place: Placement) -> dict[str, Any]:
    choices = ("compute_cluster", "resource_pool", "datastore", "network")
    return {
        **{choice: getattr(place, f"{choice}_moid") for choice in choices},
        "names": {choice: getattr(place, f"{choice}_name") for choice in choices},
        "zone": place.zone,
    }


def _free_name(taken: set[str]) -> str:
    candidates = ["worker-pool", *(f"worker-pool-{n}" for n in range(2, len(taken) + 3))]
    return next(name for name in candidates if name not in taken)
