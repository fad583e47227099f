"""The fifth page: a master pool and any number of worker pools, as one form with add, remove and copy."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from django.forms import BoundField
from django.http import QueryDict

from clusters.deploy.accounts import account_of
from clusters.deploy.drafts import BASICS, PLACEMENT, POOLS, page_values
from clusters.deploy.forms.pool_fields import MasterPoolForm, NodePoolForm, PoolContext, WorkerPoolForm
from clusters.deploy.forms.zones import ZoneOptions
from clusters.deploy.names import machine_names, short_name, taken_names
from clusters.deploy.offers import NO_OFFER, Offer, get_offer
from clusters.deploy.room import Demand, demands
from clusters.models import AddressAllocation, DeployDraft
from gateways.models import CloudAccount
from ippools.models import IPPool
from ippools.usage import with_counts
from palette_portal.tenants.models import User
from palette_portal.vsphere.errors import VSphereError

MASTER = "master"
COPIED = ("instance_type", "num_cpus", "memory_gb", "disk_gib", "zones", "ip_pool")
NO_WORKLOADS = (
    "Workloads have nowhere to run: add a worker pool, or allow worker capability on the master pool."
)
ADD, REMOVE, COPY = "add-worker", "remove-", "copy-"


class PoolsForm:
    """As a WizardForm, of several forms whose fields have prefixes: "master-name", "w1-name"."""

    page = POOLS
    by: User
    asks_vcenter = True

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        draft: DeployDraft,
        account: CloudAccount,
        offer: Offer,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self.draft, self.account, self.offer = draft, account, offer
        self.is_bound = data is not None
        self.data = data
        self.problems: list[str] = []
        placement = page_values(draft, PLACEMENT)
        self.context = PoolContext(
            ZoneOptions(offer, placement.get("datacenter", "")),
            _ip_pools(account, placement.get("allocation", "")),
        )
        known = values or {}
        master = known.get(MASTER) or {"name": "master-pool"}
        workers = known.get("workers", [{"name": "worker-pool"}] if values is None or not known else [])
        self.master = MasterPoolForm(data, prefix=MASTER, context=self.context, initial=master)
        self.workers = self._workers(workers, like=master)

    def _workers(self, workers: Sequence[Mapping[str, Any]], like: Mapping[str, Any]) -> list[WorkerPoolForm]:
        keys = (
            worker_keys(self.data) if self.data is not None else [f"w{n}" for n in range(1, len(workers) + 1)]
        )
        known = [*workers, *({} for _ in keys)]
        return [
            WorkerPoolForm(self.data, prefix=key, context=self.context, initial=initial, like=like)
            for key, initial in zip(keys, known, strict=False)
        ]

    @classmethod
    def open(cls, draft: DeployDraft, data: QueryDict | None = None) -> Self:
        account = account_of(draft)
        assert account is not None, "the page applies when the placement is complete"
        values = None if data is not None else page_values(draft, POOLS)
        return cls(data, draft=draft, account=account, offer=get_offer(account), values=values)

    @classmethod
    def redraw(cls, draft: DeployDraft, data: QueryDict) -> Self:
        """After a choice or a button: other fields, the same values, nothing refused yet."""
        account = account_of(draft)
        assert account is not None
        values = changed(cls.typed(draft, data), str(data.get("then", "")), worker_keys(data))
        return cls(draft=draft, account=account, offer=get_offer(account), values=values)

    @classmethod
    def waiting(cls, draft: DeployDraft) -> Self:
        account = account_of(draft)
        assert account is not None
        return cls(draft=draft, account=account, offer=NO_OFFER, values=page_values(draft, POOLS))

    @classmethod
    def typed(cls, draft: DeployDraft, data: QueryDict) -> dict[str, Any]:
        master = typed_pool(data, MASTER, MasterPoolForm)
        return {
            MASTER: master,
            "workers": [typed_pool(data, key, WorkerPoolForm) for key in worker_keys(data)],
        }

    @classmethod
    def typed_columns(cls, draft: DeployDraft, data: QueryDict) -> dict[str, Any]:
        return {}

    @property
    def pools(self) -> list[NodePoolForm]:
        return [self.master, *self.workers]

    @property
    def keys(self) -> str:
        return ",".join(str(worker.prefix) for worker in self.workers)

    @property
    def vanished(self) -> list[str]:
        return [gone for pool in self.pools for zone in pool.zone_forms for gone in zone.vanished]

    def field_named(self, name: str) -> BoundField | None:
        prefix, _, field = name.partition("-")
        pool = next((pool for pool in self.pools if pool.prefix == prefix), None)
        return pool[field] if pool is not None and field in pool.fields else None

    @property
    def demands(self) -> list[Demand]:
        """What the IP pools have to give, as far as the sizes are numbers."""
        return (
            demands(
                self.context.ip_pools or (),
                [(pool.current("ip_pool"), pool.reservation) for pool in self.pools],
            )
            if self.context.ip_pools
            else []
        )

    def is_valid(self) -> bool:
        if not all([pool.is_valid() for pool in self.pools]):
            return False
        self._check_names()
        self._check_workloads()
        self._check_ip_pools()
        if not self._has_errors and self.asks_vcenter:
            self._check_taken_names()
        return not self._has_errors

    @property
    def _has_errors(self) -> bool:
        return bool(self.problems) or any(pool.errors for pool in self.pools)

    def _check_names(self) -> None:
        names: set[str] = set()
        shorts: set[str] = set()
        for pool in self.pools:
            name = pool.cleaned_data["name"]
            if name in names:
                pool.add_error("name", "Another pool has this name.")
            elif pool.short_name in shorts:
                pool.add_error("name", "The first 20 letters have to differ from those of the other pools.")
            names.add(name)
            shorts |= {pool.short_name} if pool is not self.master else set()

    def _check_workloads(self) -> None:
        if not self.workers and not self.master.cleaned_data["takes_workloads"]:
            self.problems.append(NO_WORKLOADS)

    def _check_ip_pools(self) -> None:
        for demand in self.demands:
            if demand.problem:
                first = next(pool for pool in self.pools if pool.current("ip_pool") == str(demand.pool.pk))
                first.add_error("ip_pool", demand.problem)

    def _check_taken_names(self) -> None:
        placement, cluster_name = page_values(self.draft, PLACEMENT), page_values(self.draft, BASICS)["name"]
        names = {
            name: pool
            for pool in self.pools
            for name in machine_names(
                cluster_name, short_name(pool.role, pool.cleaned_data["name"]), pool.values()["size"]
            )
        }
        try:
            taken = taken_names(
                self.account,
                self.offer,
                folder_moid=placement["folder"],
                cluster_name=cluster_name,
                own_folder=placement["own_folder"],
                planned=names,
            )
        except VSphereError as error:
            self.problems.append(f"{error.sentence} {error.hint}".strip())
            return
        for name in taken[:1]:
            folder = placement["names"]["folder"]
            names[name].add_error("name", f"The folder {folder} holds a virtual machine {name} already.")

    def values(self) -> dict[str, Any]:
        return {MASTER: self.master.values(), "workers": [worker.values() for worker in self.workers]}

    def columns(self) -> dict[str, Any]:
        return {}

    def reopens(self, draft: DeployDraft) -> Mapping[str, str]:
        return {}


def worker_keys(data: QueryDict) -> list[str]:
    keys = str(data.get("workers", "")).split(",")
    return [key for key in dict.fromkeys(keys) if key[:1] == "w" and key[1:].isdecimal()][:50]


def typed_pool(data: QueryDict, prefix: str, form_class: type[NodePoolForm]) -> dict[str, Any]:
    """One pool's values as they were sent; a box that is not ticked sends nothing."""
    names = [name for name in form_class.base_fields if name != "zones"]
    boxes = [name for name in ("takes_workloads", "autoscales") if name in names]
    texts = {name: data.get(f"{prefix}-{name}", "").strip() for name in names if f"{prefix}-{name}" in data}
    zones = [
        {
            "compute_cluster": moid,
            **{choice: data.get(f"{prefix}-{moid}-{choice}", "") for choice in _ZONE_CHOICES},
        }
        for moid in data.getlist(f"{prefix}-zones")
    ]
    return {**texts, **{box: f"{prefix}-{box}" in data for box in boxes}, "zones": zones}


def changed(values: dict[str, Any], deed: str, keys: Sequence[str]) -> dict[str, Any]:
    """The pools after one of the buttons Add, Remove and Copy was pressed."""
    workers = list(values["workers"])
    if deed == ADD:
        workers.append({"name": _free_name({worker.get("name", "") for worker in workers})})
    elif deed.startswith(REMOVE) and deed.removeprefix(REMOVE) in keys:
        workers.pop(keys.index(deed.removeprefix(REMOVE)))
    elif deed.startswith(COPY) and deed.removeprefix(COPY) in keys:
        index = keys.index(deed.removeprefix(COPY))
        workers[index] = {
            **workers[index],
            **{name: values[MASTER][name] for name in COPIED if name in values[MASTER]},
        }
    return {**values, "workers": workers}


def _free_name(taken: set[str]) -> str:
    candidates = ["worker-pool", *(f"worker-pool-{n}" for n in range(2, len(taken) + 3))]
    return next(name for name in candidates if name not in taken)


def _ip_pools(account: CloudAccount, allocation: str) -> list[IPPool] | None:
    if allocation == AddressAllocation.DHCP:
        return None
    return list(with_counts(IPPool.objects.filter(gateway=account.gateway)))


_ZONE_CHOICES = ("resource_pool", "datastore", "network")
