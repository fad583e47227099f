"""What cluster pages stream: rows of the list; steps, run bar, machines and event rows of one cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.template.loader import render_to_string

from clusters.details import aside_context, head_context, nodes_context, overview_context
from clusters.event_log import EventFilter, events_after
from clusters.leaving import leftovers_context
from clusters.listing import ROWS_PER_PAGE, rows_of
from clusters.menus import actions_context
from clusters.models import Cluster
from clusters.templatetags.cluster_parts import cluster_row
from clusters.views.loading import Rights, rights_of
from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.models import Event, Step, StepState
from palette_portal.orchestration.progress import Progress, ShownStep
from palette_portal.orchestration.stream import Message, Subscription
from palette_portal.tenants.models import User

_TABS = ("overview", "nodes", "events", "settings")


class ClusterChannel:
    """/streams/clusters/<uuid>/?tab=overview|nodes|events|settings&severity=&q="""

    def open(
        self, user: User, path_arguments: Mapping[str, str], query: Mapping[str, str]
    ) -> Subscription | None:
        cluster_id = UUID(path_arguments["cluster_id"])
        cluster = Cluster.objects.visible_to(user).select_related("project").filter(pk=cluster_id).first()
        if cluster is None:
            return None
        tab = query.get("tab", "")
        tab = tab if tab in _TABS else "overview"
        page = _Page(cluster.pk, tab, EventFilter.from_query(query), rights_of(user, cluster))
        return Subscription(
            tenant_id=cluster.tenant_id,
            subjects=frozenset({("cluster", cluster.pk)}),
            key=("cluster", page),
            snapshot=page.snapshot,
            log_after=page.log_after,
            changed=page.changed,
        )


class ClusterListChannel:
    """/streams/clusters/?rows=ID,ID,... with the rows that the page shows, and nothing else."""

    def open(
        self, user: User, path_arguments: Mapping[str, str], query: Mapping[str, str]
    ) -> Subscription | None:
        asked = [key for key in query.get("rows", "").split(",")[:ROWS_PER_PAGE] if _is_hex_id(key)]
        visible = Cluster.objects.visible_to(user).filter(pk__in=asked).order_by("pk")
        rows = _Rows(tuple(visible.values_list("pk", flat=True)))
        if user.tenant_id is None or not rows.ids:
            return None
        return Subscription(
            tenant_id=user.tenant_id,
            subjects=frozenset(("cluster", key) for key in rows.ids),
            key=("cluster-list", rows),
            snapshot=lambda: rows.render(rows.ids),
            log_after=lambda number: [],
            changed=lambda change: rows.render([change.subject_id]),
        )


@dataclass(frozen=True)
class _Rows:
    ids: tuple[UUID, ...]

    def render(self, ids: Sequence[UUID]) -> list[Message]:
        rows = (cluster_row(listed, oob=True) for listed in rows_of(ids))
        return [Message(event="patch", html=row, id=None) for row in rows]


@dataclass(frozen=True)
class _Page:
    cluster_id: UUID
    tab: str
    filter: EventFilter
    rights: Rights

    def snapshot(self) -> list[Message]:
        cluster = self._cluster()
        is_overview = self.tab == "overview"
        shown = overview_context(cluster, rights=self.rights) if is_overview else head_context(cluster)
        messages = [self._state(shown), self._actions(cluster, shown["progress"])]
        if not is_overview:
            return [*messages, *self._tab(cluster, shown["progress"])]
        # An operation that begins or ends changes the order of steps and conditions.
        parts = ("_flow", "_summary", "_packs", "_node_list")
        return [*messages, *(_patch(f"clusters/{part}.html", shown) for part in parts)]

    def log_after(self, number: int) -> list[Message]:
        if self.tab != "events":
            return []
        cluster = self._cluster()
        return [_row(cluster, event) for event in events_after(cluster, self.filter, number)]

    def changed(self, change: Change) -> list[Message]:
        if change.step_id:
            return self._step_changed(change.step_id)
        return self.snapshot()

    def _step_changed(self, step_id: UUID) -> list[Message]:
        cluster = self._cluster()
        head = head_context(cluster)
        messages = [self._state(head)]
        step = _shown_step(head["progress"], step_id)
        if self.tab == "overview" and step is not None:
            context = {"cluster": cluster, "shown": ShownStep(step), "retry_denied": self.rights.change}
            messages.append(_patch("clusters/_step.html", context))
        if step is not None and step.state == StepState.DONE:
            messages.append(self._actions(cluster, head["progress"]))
        return [*messages, *self._tab(cluster, head["progress"])]

    def _tab(self, cluster: Cluster, progress: Progress | None) -> list[Message]:
        if self.tab == "nodes":
            return [_patch("clusters/_node_table.html", nodes_context(cluster, progress, self.rights))]
        if self.tab != "overview":
            return []
        context = aside_context(cluster, progress, self.rights)
        parts = ("_summary", "_conditions", "_packs", "_node_list")
        return [
            *(_patch(f"clusters/{part}.html", context) for part in parts),
            _patch("clusters/_leftovers.html", leftovers_context(cluster, self.rights)),
        ]

    def _state(self, head: Mapping[str, object]) -> Message:
        return _patch("clusters/_cluster_state.html", {**head, "change_denied": self.rights.change})

    def _actions(self, cluster: Cluster, progress: Progress | None) -> Message:
        return _patch("clusters/_cluster_actions.html", actions_context(cluster, progress, self.rights))

    def _cluster(self) -> Cluster:
        return Cluster.objects.select_related(
            "gateway__release",
            "gateway__upgrading_to",
            "cloud_account",
            "project",
        ).get(pk=self.cluster_id)


def _shown_step(progress: Progress | None, step_id: UUID) -> Step | None:
    """One that an operation before the latest still does is not on the page."""
    steps = progress.steps if progress else ()
    return next((shown.step for shown in steps if shown.step.pk == step_id), None)


def _is_hex_id(text: str) -> bool:
    try:
        return UUID(text).hex == text
    except ValueError:
        return False


def _patch(template: str, context: Mapping[str, object]) -> Message:
    return Message(event="patch", html=render_to_string(template, {**context, "oob": True}), id=None)


def _row(cluster: Cluster, event: Event) -> Message:
    html = render_to_string("clusters/_event_row.html", {"cluster": cluster, "event": event, "fresh": True})
    return Message(event="log", html=html, id=event.number)
