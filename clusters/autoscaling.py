"""When a node pool that scales itself grows or shrinks, and why: arithmetic on what a cluster reports."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clusters.load import Need, NodeLoad, PodLoad

IDLE_FOR = timedelta(minutes=10)
PAUSE_AFTER_GROWTH = timedelta(minutes=3)
PAUSE_BEFORE_SHRINKING = timedelta(minutes=10)
# What the operating system, kubelet and DaemonSets keep of a new node.
NODE_OVERHEAD = Need(200, 600)


@dataclass(frozen=True)
class ScalingPool:
    """`capacity` is a machine's; `idle_since` of nodes by name, for those that are."""

    name: str
    minimum: int
    maximum: int
    size: int
    capacity: Need
    nodes: tuple[NodeLoad, ...] = ()
    idle_since: Mapping[str, datetime] | None = None
    scaled_at: datetime | None = None

    @property
    def room(self) -> Need:
        return self.capacity - NODE_OVERHEAD


@dataclass(frozen=True)
class Decision:
    """`size` is what the pool shall have; `node` is the one to leave, when it shrinks."""

    pool: str
    size: int
    reason: str
    node: str = ""


def decide(
    pools: Sequence[ScalingPool],
    *,
    pending: Sequence[PodLoad],
    others: Sequence[NodeLoad] = (),
    now: datetime,
) -> Decision | None:
    """The most urgent one. `others` are nodes that pods may move to as well."""
    return _within_limits(pools) or _grow(pools, pending, now) or _shrink(pools, pending, others, now)


def _within_limits(pools: Iterable[ScalingPool]) -> Decision | None:
    """Limits that were changed count at once. Above the maximum machines leave one by one."""
    for pool in pools:
        if pool.size < pool.minimum:
            return Decision(pool.name, pool.minimum, f"{pool.name} has fewer nodes than its minimum size.")
        if pool.size > pool.maximum and pool.nodes:
            node = min(pool.nodes, key=lambda node: node.used_part)
            reason = f"{pool.name} has more nodes than its maximum size."
            return Decision(pool.name, pool.size - 1, reason, node.name)
    return None


def _grow(pools: Sequence[ScalingPool], pending: Sequence[PodLoad], now: datetime) -> Decision | None:
    """The smallest pool whose machines a pod fits into takes it."""
    by_pool: dict[str, list[PodLoad]] = {}
    ordered = sorted(pools, key=lambda pool: (pool.capacity.memory_mib, pool.capacity.cpu_milli, pool.name))
    for pod in pending:
        takers = [pool for pool in ordered if pod.need.fits_into(pool.room) and _may_grow(pool, now)]
        if takers:
            by_pool.setdefault(takers[0].name, []).append(pod)
    for pool in ordered:
        if pods := by_pool.get(pool.name):
            more = min(nodes_for(pods, pool.room), pool.maximum - pool.size)
            return Decision(pool.name, pool.size + more, _wanted(pods))
    return None


def _may_grow(pool: ScalingPool, now: datetime) -> bool:
    return pool.size < pool.maximum and not _is_within(PAUSE_AFTER_GROWTH, pool.scaled_at, now)


def _wanted(pods: Sequence[PodLoad]) -> str:
    """Names a few of them."""
    named = ", ".join(pod.name for pod in pods[:3])
    more = f" and {len(pods) - 3} more" if len(pods) > 3 else ""
    return f"No node has room for {named}{more}."


def nodes_for(pods: Iterable[PodLoad], room: Need) -> int:
    """How many empty nodes take all pods: the largest first, each into the first that has room."""
    free: list[Need] = []
    for pod in sorted(pods, key=lambda pod: (pod.need.memory_mib, pod.need.cpu_milli), reverse=True):
        for number, left in enumerate(free):
            if pod.need.fits_into(left):
                free[number] = left - pod.need
                break
        else:
            free.append(room - pod.need)
    return len(free)


def _shrink(
    pools: Sequence[ScalingPool], pending: Sequence[PodLoad], others: Sequence[NodeLoad], now: datetime
) -> Decision | None:
    if pending:
        return None
    for pool in pools:
        if pool.size <= pool.minimum or _is_within(PAUSE_BEFORE_SHRINKING, pool.scaled_at, now):
            continue
        elsewhere = [*others, *(node for other in pools if other is not pool for node in other.nodes)]
        for node in _idle(pool, now):
            rest = [other for other in pool.nodes if other is not node]
            if has_room_for(node, [*rest, *elsewhere]):
                reason = f"Less than half of {node.name} was used for {_minutes(IDLE_FOR)} minutes."
                return Decision(pool.name, pool.size - 1, reason, node.name)
    return None


def _idle(pool: ScalingPool, now: datetime) -> list[NodeLoad]:
    """The least used first."""
    since = pool.idle_since or {}
    idle = [
        node
        for node in pool.nodes
        if node.is_idle and node.name in since and now - since[node.name] >= IDLE_FOR
    ]
    return sorted(idle, key=lambda node: node.used_part)


def has_room_for(leaving: NodeLoad, nodes: Iterable[NodeLoad]) -> bool:
    """Whether the pods that would have to move find room on these nodes."""
    free = [node.allocatable - node.requested for node in nodes]
    for pod in sorted(leaving.pods, key=lambda pod: pod.need.memory_mib, reverse=True):
        if not pod.moves:
            continue
        place = next((number for number, left in enumerate(free) if pod.need.fits_into(left)), None)
        if place is None:
            return False
        free[place] = free[place] - pod.need
    return True


def _is_within(pause: timedelta, since: datetime | None, now: datetime) -> bool:
    return since is not None and now - since < pause


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds() // 60)
