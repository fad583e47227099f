"""What the pages of IP pools stream: how full they are, and who has which address.

Addresses are claimed and released by steps of clusters, so the end of a step is when to look again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.template.loader import render_to_string

from ippools.models import IPPool
from ippools.pages import detail_context, list_context, page_number
from ippools.usage import with_counts
from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.models import Step, StepState
from palette_portal.orchestration.stream import Message, Subscription
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Permission, can_somewhere


class PoolChannel:
    """/streams/ippools/ for the list, ?only=ID&show=&page= for one page of a pool's addresses."""

    def open(
        self, user: User, path_arguments: Mapping[str, str], query: Mapping[str, str]
    ) -> Subscription | None:
        only = _id_or_none(query.get("only", ""))
        if user.tenant_id is None or not can_somewhere(user, Permission.VIEW_IP_POOLS):
            return None
        if "only" in query and (only is None or not IPPool.objects.visible_to(user).filter(pk=only).exists()):
            return None
        page = _Page(user, only, query.get("show", "all"), page_number(query.get("page", "")))
        return Subscription(
            tenant_id=user.tenant_id,
            subjects=None,
            key=("ip-pools", user.pk, only, page.shown, page.number),
            snapshot=page.snapshot,
            log_after=lambda number: [],
            changed=page.changed,
        )


@dataclass(frozen=True)
class _Page:
    user: User
    only: UUID | None
    shown: str
    number: int

    def snapshot(self) -> list[Message]:
        if self.only is None:
            return [_patch("ippools/_pool_list.html", list_context(self.user))]
        pools = with_counts(IPPool.objects.visible_to(self.user)).select_related("gateway", "tenant")
        pool = pools.filter(pk=self.only).first()
        if pool is None:
            return [_patch("ippools/_pool_now.html", {})]
        context = detail_context(self.user, pool, shown=self.shown, number=self.number)
        return [_patch("ippools/_pool_now.html", context)]

    def changed(self, change: Change) -> list[Message]:
        return self.snapshot() if self._concerns(change) else []

    def _concerns(self, change: Change) -> bool:
        if change.subject_kind == "ip-pool":
            return self.only in (None, change.subject_id)
        if change.subject_kind != "cluster" or change.step_id is None:
            return False
        return Step.objects.filter(pk=change.step_id, state=StepState.DONE).exists()


def _patch(template: str, context: Mapping[str, object]) -> Message:
    return Message(event="patch", html=render_to_string(template, {**context, "oob": True}), id=None)


def _id_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
