"""Walks the deploy wizard over HTTP, as a browser without JavaScript does; others begin where it stops."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clusters.deploy.offers import get_offer
from clusters.models import DeployDraft
from clusters.profiles.models import ClusterProfile, LayerKind, ProfileLayer, ProfileType, ProfileVersion
from gateways.models import CloudAccount, PrerequisiteReport, PrivateCloudGateway
from gateways.models.pages import FRESH_FOR
from ippools.models import IPPool
from palette_portal.tenants.models import Project, User
from tests.engine import run_due_steps
from tests.lab.vcsim import Lab

HTMX = {"HX-Request": "true"}
NEEDED = "VirtualMachine.Config.CPUCount"
PAGES = ("basics", "profile", "parameters", "placement", "pools", "review")
LAYERS = (
    (LayerKind.OS, "ubuntu", "24.04"),
    (LayerKind.KUBERNETES, "kubernetes", "1.36.4"),
    (LayerKind.NETWORK, "calico", "3.33.0"),
    (LayerKind.STORAGE, "vsphere-csi", "3.8.0"),
)
BASICS = {"name": "payments-prod", "description": "Card payments", "tags": "env:prod, critical"}
PLACES = {"resource_pool": "Resources/platform", "datastore": "shared-nfs-1", "network": "k8s-nodes"}
MASTER = {
    "name": "master-pool",
    "size": "1",
    "instance_type": "medium",
    "disk_gib": "60",
    "takes_workloads": "",
}
WORKER = {
    "name": "worker-pool",
    "size": "2",
    "instance_type": "large",
    "disk_gib": "80",
    "rolling_update": "expand-first",
}


def make_profile(
    project: Project, name: str = "vSphere starter", version: str = "1.0.0", **fields: Any
) -> ProfileVersion:
    """Of the tenant, published unless `published_at` says otherwise."""
    published_at = fields.pop("published_at", timezone.now())
    profile, _ = ClusterProfile.objects.get_or_create(
        tenant=project.tenant,
        project=fields.pop("owner", None),
        name=name,
        defaults={"description": "All you need."},
    )
    numbers = [int(part) for part in version.split(".")]
    rank = numbers[0] * 10**12 + numbers[1] * 10**6 + numbers[2]
    values = fields.pop("values", {})
    made = ProfileVersion.objects.create(profile=profile, version=version, rank=rank, **fields)
    for position, (kind, pack, pack_version) in enumerate(LAYERS):
        ProfileLayer.objects.create(
            version=made,
            kind=kind,
            position=position,
            pack=pack,
            pack_version=pack_version,
            values=values.get(pack, ""),
        )
    made.published_at = published_at
    made.save()
    return made


METRICS, METALLB = ("metrics-server", "0.8.1"), ("metallb", "0.15.3")


def make_add_on(
    project: Project,
    name: str = "monitoring",
    *packs: tuple[str, str],
    version: str = "1.0.0",
    owner: Project | None = None,
    values: dict[str, str] | None = None,
    is_published: bool = True,
    **fields: Any,
) -> ProfileVersion:
    """An add-on profile of the tenant, with Metrics Server unless it is told its packs."""
    profile, _ = ClusterProfile.objects.get_or_create(
        tenant=project.tenant, project=owner, name=name, type=ProfileType.ADD_ON
    )
    rank = int("".join(part.zfill(6) for part in version.split(".")))
    made = ProfileVersion.objects.create(profile=profile, version=version, rank=rank, **fields)
    ProfileLayer.objects.bulk_create(
        ProfileLayer(
            version=made,
            kind=LayerKind.ADD_ON,
            position=position,
            pack=pack,
            pack_version=pack_version,
            values=(values or {}).get(pack, ""),
        )
        for position, (pack, pack_version) in enumerate(packs or (METRICS,))
    )
    if is_published:
        made.published_at = timezone.now()
        made.save()
    return made


@dataclass
class DeployWalk:
    client: Client
    user: User
    project: Project
    gateway: PrivateCloudGateway
    account: CloudAccount
    ip_pool: IPPool
    profile: ProfileVersion
    lab: Lab
    variables: dict[str, str] = field(default_factory=dict)
    add_ons: list[ProfileVersion] = field(default_factory=list)

    @property
    def draft(self) -> DeployDraft:
        return DeployDraft.objects.select_related("project__tenant", "profile_version__profile").get()

    def url(self, page: str) -> str:
        return reverse("clusters:deploy-page", args=[self.draft.pk, page])

    def get(self, page: str, data: dict[str, Any] | None = None, **headers: Any) -> HttpResponse:
        return self.client.get(self.url(page), data, **headers)

    def post(
        self, page: str, data: dict[str, Any], *, then: str = "continue", **headers: Any
    ) -> HttpResponse:
        return self.client.post(self.url(page), {**data, "then": then}, **headers)

    def check(self, page: str, name: str, data: dict[str, Any]) -> HttpResponse:
        return self.client.post(f"{self.url(page)}?check={name}", data, headers=HTMX)

    def start(self, data: dict[str, Any], *, then: str = "continue") -> HttpResponse:
        return self.client.post(reverse("clusters:deploy"), {**data, "then": then})

    def confirm(self) -> HttpResponse:
        """After the report that the page asks for when it opens."""
        self.report()
        return self.deploy()

    def deploy(self) -> HttpResponse:
        return self.client.post(reverse("clusters:deploy-confirm", args=[self.draft.pk]))

    def report(self, **data: str) -> HttpResponse:
        """The review with the report that a worker made; one that was made a moment ago is taken again."""
        self.ask_for_report(**data)
        if PrerequisiteReport.objects.filter(finished_at=None).exists():
            run_due_steps()
        return self.get("review")

    def ask_for_report(self, *, client: Client | None = None, **data: str) -> HttpResponse:
        url = reverse("clusters:deploy-check", args=[self.draft.pk])
        return (client or self.client).post(url, data, headers=HTMX)

    def withhold(self, *privileges: str) -> None:
        """The account lacks them on the folder for the machines; without any, one that it needs."""
        folder = self.draft.pages["placement"]["values"]["folder"]
        self.lab.withhold(*(privileges or (NEEDED,)), on=folder)

    def placement(self, **changes: Any) -> dict[str, Any]:
        choices = get_offer(self.account).choices
        datacenter = {o.name: o.moid for o in choices.options("datacenter", {})}["dc-1"]
        folders = {o.name: o.moid for o in choices.options("folder", {"datacenter": datacenter})}
        return {
            "cloud_account": str(self.account.pk),
            "datacenter": datacenter,
            "folder": folders["palette-clusters"]
            if "palette-clusters" in folders
            else folders["palette-gateways"],
            "image_folder": "spectro-templates",
            "ssh_keys": "",
            "ntp_servers": "10.10.0.4",
            "allocation": "static",
            **changes,
        }

    def zones(self, *names: str) -> list[str]:
        choices = get_offer(self.account).choices
        known = choices.options("compute_cluster", {"datacenter": self.placement()["datacenter"]})
        return [option.moid for option in known if option.name in (names or ("cluster-1",))]

    def pool(self, prefix: str, fields: dict[str, Any], *clusters: str) -> dict[str, Any]:
        choices, sent = get_offer(self.account).choices, {}
        for moid in self.zones(*clusters):
            for choice, name in PLACES.items():
                options = choices.options(choice, {"compute_cluster": moid})
                sent[f"{prefix}-{moid}-{choice}"] = next(o.moid for o in options if o.name == name)
        plain = {f"{prefix}-{name}": value for name, value in fields.items() if value != ""}
        return {
            **plain,
            **sent,
            f"{prefix}-zones": self.zones(*clusters),
            f"{prefix}-ip_pool": str(self.ip_pool.pk),
        }

    def pools(self, *, master: dict[str, Any] | None = None, **workers: dict[str, Any]) -> dict[str, Any]:
        wanted = workers or {"w1": {}}
        sent = self.pool("master", {**MASTER, **(master or {})}, "cluster-1", "cluster-2")
        for prefix, fields in wanted.items():
            sent |= self.pool(prefix, {**WORKER, **fields}, "cluster-1", "cluster-2")
        return {**sent, "workers": ",".join(wanted)}

    def parameters(self, **changes: str) -> dict[str, Any]:
        return {**{f"var_{name}": value for name, value in self.variables.items()}, **changes}

    def to_profile(self, **changes: Any) -> None:
        response = self.start({**BASICS, **changes})
        assert response.status_code == 302, errors_of(response)

    def chosen(self, *add_ons: ProfileVersion, **changes: str) -> dict[str, Any]:
        """The page of profiles as it is sent."""
        return {"version": str(self.profile.pk), "add_on": [str(one.pk) for one in add_ons], **changes}

    def to_parameters(self, **changes: Any) -> None:
        self.to_profile(**changes)
        self.accept("profile", self.chosen(*self.add_ons))

    def to_placement(self) -> None:
        self.to_parameters()
        self.accept("parameters", self.parameters())

    def to_pools(self, **changes: Any) -> None:
        self.to_placement()
        self.accept("placement", self.placement(**changes))

    def to_review(self, *, master: dict[str, Any] | None = None, **workers: dict[str, Any]) -> None:
        self.to_pools()
        self.accept("pools", self.pools(master=master, **workers))

    def accept(self, page: str, data: dict[str, Any]) -> None:
        response = self.post(page, data)
        assert response.status_code == 302, errors_of(response) or text_of(response)


def the_report() -> PrerequisiteReport:
    return PrerequisiteReport.objects.get()


def make_old(report: PrerequisiteReport) -> None:
    assert report.finished_at is not None
    earlier = FRESH_FOR + timedelta(seconds=1)
    PrerequisiteReport.objects.filter(pk=report.pk).update(
        finished_at=report.finished_at - earlier, created_at=report.created_at - earlier
    )


def text_of(response: HttpResponse) -> str:
    return response.content.decode()


def errors_of(response: HttpResponse) -> dict[str, str]:
    """The first error at each field, by the field's name."""
    found = re.findall(r'id="id_([\w-]+)_error">(?:<svg.*?</svg>)?(.*?)</p>', text_of(response), re.DOTALL)
    return {name: unescape(message.strip()) for name, message in found}


def options_of(response: HttpResponse, name: str) -> list[str]:
    """What a select offers, with the muted text behind a bar."""
    select = re.search(rf'<select name="{name}".*?</select>', text_of(response), re.DOTALL)
    assert select, f"no select {name}"
    found = re.findall(r"<option.*?><span>(.*?)</span>(?: <small>(.*?)</small>)?", select[0])
    return [unescape(f"{label}|{meta}" if meta else label) for label, meta in found]
