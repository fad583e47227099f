"""What the pages of cloud accounts stream: the list, and what is known of one account."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Prefetch
from django.template.loader import render_to_string

from gateways.account_pages import clean_up_context, detail_context, list_context
from gateways.models import CloudAccount, CloudAccountQuerySet
from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.stream import Message, Subscription
from palette_portal.tenants.models import Project, User
from palette_portal.tenants.permissions import Permission, can_somewhere

# What the pages tell of: the accounts, and the clusters that use them. Steps change neither.
SUBJECTS = ("cloud-account", "cluster")


class AccountChannel:
    """/streams/accounts/ for the list, ?only=ID for the page of one account, &orphans=1 for its orphans."""

    def open(
        self, user: User, path_arguments: Mapping[str, str], query: Mapping[str, str]
    ) -> Subscription | None:
        only = _id_or_none(query.get("only", ""))
        if user.tenant_id is None or not can_somewhere(user, Permission.VIEW_CLOUD_ACCOUNTS):
            return None
        if "only" in query and (only is None or not _accounts(user).filter(pk=only).exists()):
            return None
        page = _Page(user, only, only is not None and "orphans" in query)
        return Subscription(
            tenant_id=user.tenant_id,
            subjects=None,
            key=("accounts", user.pk, only, page.orphans),
            snapshot=page.snapshot,
            log_after=lambda number: [],
            changed=page.changed,
        )


@dataclass(frozen=True)
class _Page:
    user: User
    only: UUID | None
    orphans: bool

    def snapshot(self) -> list[Message]:
        if self.only is None:
            return [self._list()]
        return [self._clean_up(self.only) if self.orphans else self._account(self.only)]

    def changed(self, change: Change) -> list[Message]:
        if self.orphans and self.only:
            return [self._clean_up(self.only, is_news=True)] if change.subject_id == self.only else []
        if change.step_id is not None or change.subject_kind not in SUBJECTS:
            return []
        if self.only and change.subject_kind == "cloud-account" and change.subject_id != self.only:
            return []
        return self.snapshot()

    def _clean_up(self, account_id: UUID, *, is_news: bool = False) -> Message:
        """With news that it has ended the lists are read again."""
        account = _accounts(self.user).filter(pk=account_id).first()
        context = {**clean_up_context(account), "account": account, "is_news": is_news} if account else {}
        return _patch("gateways/_orphan_progress.html", context)

    def _list(self) -> Message:
        return _patch("gateways/_account_list.html", list_context(self.user))

    def _account(self, account_id: UUID) -> Message:
        chosen = Prefetch("projects", Project.objects.visible_to(self.user))
        account = _accounts(self.user).prefetch_related(chosen).filter(pk=account_id).first()
        context = detail_context(self.user, account) if account else {}
        return _patch("gateways/_account_now.html", context)


def _accounts(user: User) -> CloudAccountQuerySet:
    return CloudAccount.objects.visible_to(user).select_related("tenant", "gateway", "project")


def _patch(template: str, context: Mapping[str, object]) -> Message:
    return Message(event="patch", html=render_to_string(template, {**context, "oob": True}), id=None)


def _id_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
