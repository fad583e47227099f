from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.autoscaling import Decision, ScalingPool, decide, has_room_for, nodes_for
from clusters.load import Need, NodeLoad, PodLoad

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
ROOM = Need(4000, 8000)


def pod(name: str, cpu: int = 1000, memory: int = 1000, *, moves: bool = True) -> PodLoad:
    return PodLoad(name, Need(cpu, memory), moves)


def node(name: str, *pods: PodLoad) -> NodeLoad:
    return NodeLoad(name, ROOM, pods)


def pool(name: str = "blue", **changes: Any) -> ScalingPool:
    values: dict[str, Any] = {
        "minimum": 1,
        "maximum": 5,
        "size": 2,
        "capacity": Need(4200, 8600),
        "nodes": (node(f"{name}-1", pod("web", 3000)), node(f"{name}-2", pod("api", 3000))),
        **changes,
    }
    return ScalingPool(name, **values)


def of(*pools: ScalingPool, pending: tuple[PodLoad, ...] = (), others: tuple[NodeLoad, ...] = ()) -> Any:
    return decide(pools, pending=pending, others=others, now=NOW)


def idle(*names: str, since: datetime = LONG_AGO) -> dict[str, datetime]:
    return dict.fromkeys(names, since)


def test_busy_pool_stays_as_it_is() -> None:
    assert of(pool()) is None


def test_pending_pods_get_as_many_nodes_as_they_need() -> None:
    decision = of(pool(), pending=tuple(pod(f"job-{n}", 2000) for n in range(4)))

    assert decision == Decision("blue", 4, "No node has room for job-0, job-1, job-2 and 1 more.")


def test_growth_ends_at_the_maximum() -> None:
    decision = of(pool(maximum=3), pending=tuple(pod(f"job-{n}", 4000) for n in range(9)))

    assert decision and decision.size == 3


def test_pool_at_its_maximum_does_not_grow() -> None:
    assert of(pool(maximum=2), pending=(pod("job"),)) is None


def test_pod_that_no_machine_can_hold_makes_nothing_grow() -> None:
    assert of(pool(), pending=(pod("giant", 64_000),)) is None


def test_smallest_machines_that_fit_are_taken() -> None:
    large = pool("large", capacity=Need(16_200, 32_600))

    assert of(large, pool("small"), pending=(pod("job", 2000),)).pool == "small"
    assert of(large, pool("small"), pending=(pod("job", 9000),)).pool == "large"


def test_next_growth_waits_for_its_pause() -> None:
    just_now = NOW - timedelta(minutes=2)

    assert of(pool(scaled_at=just_now), pending=(pod("job"),)) is None
    assert of(pool(scaled_at=NOW - timedelta(minutes=3)), pending=(pod("job"),)).size == 3


def test_idle_node_leaves() -> None:
    quiet = pool(nodes=(node("blue-1", pod("web", 2000)), node("blue-2", pod("api", 500))))

    decision = of(pool_with_idle(quiet, "blue-2"))

    assert decision == Decision("blue", 1, "Less than half of blue-2 was used for 10 minutes.", "blue-2")


def pool_with_idle(before: ScalingPool, *names: str, since: datetime = LONG_AGO) -> ScalingPool:
    return ScalingPool(**{**vars(before), "idle_since": idle(*names, since=since)})


def test_least_used_of_idle_nodes_leaves_first() -> None:
    quiet = pool(
        size=3, nodes=(node("a", pod("x", 1500)), node("b", pod("y", 100)), node("c", pod("z", 900)))
    )

    assert of(pool_with_idle(quiet, "a", "b", "c")).node == "b"


@pytest.mark.parametrize(
    "changes",
    [
        {"minimum": 2},
        {"scaled_at": NOW - timedelta(minutes=9)},
    ],
    ids=["at its minimum", "just scaled"],
)
def test_idle_node_stays(changes: dict[str, Any]) -> None:
    quiet = pool(nodes=(node("blue-1"), node("blue-2")), **changes)

    assert of(pool_with_idle(quiet, "blue-1", "blue-2")) is None


def test_node_that_is_idle_for_nine_minutes_stays() -> None:
    quiet = pool(nodes=(node("blue-1"), node("blue-2")))

    assert of(pool_with_idle(quiet, "blue-1", "blue-2", since=NOW - timedelta(minutes=9))) is None


def test_nothing_shrinks_while_pods_wait() -> None:
    quiet = pool(nodes=(node("blue-1"), node("blue-2")), maximum=2)

    assert of(pool_with_idle(quiet, "blue-1", "blue-2"), pending=(pod("giant", 64_000),)) is None


def test_node_whose_pods_fit_nowhere_else_stays() -> None:
    full = node("blue-1", pod("web", 3900))
    quiet = pool(nodes=(full, node("blue-2", pod("api", 1500))))

    assert of(pool_with_idle(quiet, "blue-2")) is None
    assert of(pool_with_idle(quiet, "blue-2"), others=(node("green-1"),)).node == "blue-2"


def test_pods_of_every_node_hold_no_node() -> None:
    assert has_room_for(node("a", pod("agent", 4000, moves=False)), [])


def test_pool_below_its_minimum_grows_at_once() -> None:
    assert of(pool(minimum=4, scaled_at=NOW)).size == 4


def test_pool_above_its_maximum_gives_the_least_used_back() -> None:
    decision = of(pool(maximum=1, scaled_at=NOW, nodes=(node("a", pod("x", 3000)), node("b", pod("y", 10)))))

    assert (decision.size, decision.node) == (1, "b")


@given(st.lists(st.tuples(st.integers(1, 4000), st.integers(1, 8000)), max_size=40))
def test_nodes_for_holds_all_pods(needs: list[tuple[int, int]]) -> None:
    pods = [pod(str(number), *need) for number, need in enumerate(needs)]

    count = nodes_for(pods, ROOM)

    total = sum((one.need for one in pods), Need())
    assert count <= len(pods)
    assert total.cpu_milli <= count * ROOM.cpu_milli
    assert total.memory_mib <= count * ROOM.memory_mib
