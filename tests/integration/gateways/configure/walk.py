"""Walks the Configure wizard over HTTP, as a browser without JavaScript does."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from gateways.models import ConfigureDraft, PrivateCloudGateway
from gateways.placement import CHOICES, Choices, get_inventory
from tests.lab.vcsim import Lab

HTMX = {"HX-Request": "true"}
NAMES = {
    "datacenter": "dc-1",
    "folder": "palette-gateways",
    "compute_cluster": "cluster-1",
    "resource_pool": "Resources/platform",
    "datastore": "shared-nfs-1",
    "network": "k8s-nodes",
}
POOL = {
    "scheme": "static",
    "pool": "new",
    "name": "gateway-pool",
    "network_type": "range",
    "start": "10.10.183.20",
    "end": "10.10.183.40",
    "subnet_prefix": "24",
    "gateway_address": "10.10.183.1",
    "name_servers": "10.10.0.2, 10.10.0.3",
    "search_suffixes": "acme.test",
}


@dataclass
class Walk:
    client: Client
    gateway: PrivateCloudGateway
    lab: Lab

    @property
    def draft(self) -> ConfigureDraft:
        return ConfigureDraft.objects.select_related("gateway").get(gateway=self.gateway)

    def url(self, page: str) -> str:
        return reverse("gateways:configure-page", args=[self.gateway.pk, page])

    def get(self, page: str, data: dict[str, Any] | None = None, **headers: Any) -> HttpResponse:
        return self.client.get(self.url(page), data, **headers)

    def post(
        self, page: str, data: dict[str, Any], *, then: str = "continue", **headers: Any
    ) -> HttpResponse:
        return self.client.post(self.url(page), {**data, "then": then}, **headers)

    def confirm(self) -> HttpResponse:
        return self.client.post(reverse("gateways:configure-confirm", args=[self.gateway.pk]))

    def fields(self, part: str, data: dict[str, Any]) -> HttpResponse:
        name = f"gateways:configure-{part}-fields"
        return self.client.get(reverse(name, args=[self.gateway.pk]), data, headers=HTMX)

    def vcenter(self, **changes: Any) -> dict[str, Any]:
        login = {"server": self.lab.server, "username": self.lab.username, "password": self.lab.password}
        return {**login, "trusted_thumbprint": self.lab.thumbprint_sha256, **changes}

    def placement(self, names: dict[str, str] = NAMES, **changes: Any) -> dict[str, Any]:
        choices, chosen = Choices(get_inventory(self.draft)), {}
        for choice in CHOICES:
            chosen[choice] = {o.name: o.moid for o in choices.options(choice, chosen)}[names[choice]]
        return {**chosen, "nodes": "1", "ssh_keys": "", "ntp_servers": "", **changes}

    def to_placement(self, **changes: Any) -> None:
        self.accept("vcenter", self.vcenter(**changes))

    def to_addresses(self, **changes: Any) -> None:
        self.to_placement()
        self.accept("placement", self.placement(**changes))

    def to_summary(self, **changes: Any) -> None:
        self.to_addresses(**changes)
        self.accept("addresses", POOL)

    def accept(self, page: str, data: dict[str, Any]) -> None:
        response = self.post(page, data)
        assert response.status_code == 302, errors_of(response)


def text_of(response: HttpResponse) -> str:
    return response.content.decode()


def errors_of(response: HttpResponse) -> dict[str, str]:
    """The first error at each field, by the field's name."""
    found = re.findall(r'id="id_(\w+)_error">(?:<svg.*?</svg>)?(.*?)</p>', text_of(response), re.DOTALL)
    return {name: unescape(message.strip()) for name, message in found}


def options_of(response: HttpResponse, name: str) -> list[str]:
    """What a select offers, with the muted text behind a bar."""
    select = re.search(rf'<select name="{name}".*?</select>', text_of(response), re.DOTALL)
    assert select, f"no select {name}"
    found = re.findall(r"<option.*?><span>(.*?)</span>(?: <small>(.*?)</small>)?", select[0])
    return [unescape(f"{label}|{meta}" if meta else label) for label, meta in found]
