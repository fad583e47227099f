"""What the gateway pages stream: widgets on the list, the installer's arrival on the installation page."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.template.loader import render_to_string
from django.utils.html import format_html

from clusters.models import Cluster
from gateways.cards import card_for_stream, cards_for_stream
from gateways.install import installation
from gateways.models import GatewayQuerySet, PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.stream import Message, Subscription
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, can, reason_against


class GatewayChannel:
    """/streams/gateways/ for the list; ?install=ID for an installation page, ?only=ID for one widget."""

    def open(
        self, user: User, path_arguments: Mapping[str, str], query: Mapping[str, str]
    ) -> Subscription | None:
        install, only = query.get("install", ""), query.get("only", "")
        if user.tenant_id is None or not can(user, Permission.VIEW_GATEWAYS):
            return None
        if not _is_id_or_empty(install) or not _is_id_or_empty(only):
            return None
        denied = reason_against(user, Permission.MANAGE_GATEWAYS)
        page = _Page(user.tenant_id, denied, install, only)
        return Subscription(
            tenant_id=user.tenant_id,
            subjects=None,
            key=("gateways", page),
            snapshot=page.snapshot,
            log_after=page.log_after,
            changed=page.changed,
        )


@dataclass(frozen=True)
class _Page:
    tenant_id: UUID
    denied: str
    install: str
    only: str

    def snapshot(self) -> list[Message]:
        if not self._one:
            return [self._all_cards()]
        return [self._message(gateway) for gateway in self._gateways().filter(pk=self._one)]

    def log_after(self, number: int) -> list[Message]:
        return []

    def changed(self, change: Change) -> list[Message]:
        gateway = self._changed_gateway(change)
        if gateway is None or (self._one and str(gateway.pk) != self._one):
            return []
        if change.subject_kind == "gateway" and not self._one and not gateway.is_system:
            # It may be new to the list, or gone from it; the portal's own is always there.
            return [self._all_cards()]
        return [self._message(gateway)]

    @property
    def _one(self) -> str:
        """The only gateway that the page shows; empty on the list."""
        return self.install or self.only

    def _changed_gateway(self, change: Change) -> PrivateCloudGateway | None:
        if change.subject_kind == "gateway":
            return self._gateways().filter(pk=change.subject_id).first()
        if change.subject_kind != "cluster":
            return None
        bodies = Cluster.objects.gateway_bodies().filter(pk=change.subject_id)
        return self._gateways().filter(clusters__in=bodies).first()

    def _gateways(self) -> GatewayQuerySet:
        return PrivateCloudGateway.objects.filter(tenant_id=self.tenant_id).select_related(
            "release", "tenant", "upgrading_to"
        )

    def _message(self, gateway: PrivateCloudGateway) -> Message:
        html = self._arrival(gateway) if self.install else self._card(gateway)
        return Message(event="patch", html=html, id=None)

    def _all_cards(self) -> Message:
        cards = cards_for_stream(self._gateways().present().system_last(), denied=self.denied)
        html = render_to_string("gateways/_gateway_cards.html", {"cards": cards, "oob": True})
        return Message(event="patch", html=html, id=None)

    def _arrival(self, gateway: PrivateCloudGateway) -> str:
        context = {"installation": installation(gateway), "gateway": gateway, "oob": True}
        return render_to_string("gateways/_installer_arrival.html", context)

    def _card(self, gateway: PrivateCloudGateway) -> str:
        if gateway.state == GatewayState.DELETED:
            return format_html('<article id="gateway-{}" hx-swap-oob="delete"></article>', gateway.pk)
        card = card_for_stream(gateway, denied=self.denied)
        return render_to_string(card.template, {"card": card, "oob": True})


def _is_id_or_empty(text: str) -> bool:
    try:
        return not text or bool(UUID(text))
    except ValueError:
        return False
