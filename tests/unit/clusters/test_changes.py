"""Plans of changes as graphs: what has to be done before what."""

from uuid import uuid4

import pytest
from django.utils.module_loading import import_string

from clusters.changes import (
    add_machines_plan,
    gone_key,
    ready_key,
    remove_machines_plan,
    replace_machines_plan,
)
from clusters.models import AddressAllocation, Cluster, Machine, MachinePool, PoolRole
from palette_portal.orchestration.graph import check_graph
from tests.unit.clusters.test_plan import before

MASTER, WORKER = PoolRole.CONTROL_PLANE, PoolRole.WORKER


def make_pool(role=WORKER, allocation=AddressAllocation.STATIC, **fields):
    cluster = Cluster(name="gw", address_allocation=allocation)
    return MachinePool(id=uuid4(), cluster=cluster, role=role, name=f"{role}-pool", **fields)


def make_machines(pool, first, last, version="1.31.2"):
    word = "cp" if pool.role == MASTER else "w"
    return [
        Machine(
            id=uuid4(),
            cluster=pool.cluster,
            pool=pool,
            index=number,
            name=f"gw-{word}-{number}",
            kubernetes_version=version,
        )
        for number in range(first, last + 1)
    ]


def replacement(count=3, role=WORKER, version="1.31.2", **fields):
    pool = make_pool(role, **fields)
    old, new = make_machines(pool, 1, count), make_machines(pool, count + 1, 2 * count, version)
    return old, new, replace_machines_plan(pool, old, new)


def most_and_fewest(old, new, steps):
    """How many machines there may be at most, and how few ready ones at least, whatever the order."""
    begun = {machine.name: f"{machine.name}/cloned" for machine in new}
    begun |= {machine.name: f"{machine.name}/out-of-cluster" for machine in old}
    most, fewest = 0, len(old)
    for turn, machine in enumerate(new):
        earlier = before(steps, begun[machine.name])
        most = max(most, len(old) + turn + 1 - sum(gone_key(one) in earlier for one in old))
    for turn, machine in enumerate(old):
        earlier = before(steps, begun[machine.name])
        fewest = min(fewest, len(old) - turn - 1 + sum(ready_key(one) in earlier for one in new))
    return most, fewest


@pytest.mark.parametrize("role", [MASTER, WORKER])
@pytest.mark.parametrize("allocation", list(AddressAllocation))
def test_every_plan_is_a_graph_whose_functions_exist(role, allocation):
    pool = make_pool(role, allocation)
    old, new = make_machines(pool, 1, 3), make_machines(pool, 4, 6, "1.32.0")

    for steps in (
        add_machines_plan(pool.cluster, new),
        remove_machines_plan(pool.cluster, old),
        replace_machines_plan(pool, old, new),
    ):
        check_graph(steps)
        for step in steps:
            assert callable(import_string(step.function))


def test_parts_of_one_operation_have_keys_of_their_own():
    masters, workers = make_pool(MASTER), make_pool(WORKER)
    first = replace_machines_plan(masters, make_machines(masters, 1, 1), make_machines(masters, 2, 2))
    second = replace_machines_plan(
        workers, make_machines(workers, 1, 2), make_machines(workers, 3, 4), after=[first[-1].key]
    )
    left = remove_machines_plan(workers.cluster, make_machines(workers, 9, 9), prefix="left:")
    more = add_machines_plan(workers.cluster, make_machines(workers, 7, 8), prefix="more:")

    check_graph([*first, *second, *left, *more])


def test_nothing_to_do_is_no_plan():
    pool = make_pool()

    assert add_machines_plan(pool.cluster, []) == remove_machines_plan(pool.cluster, []) == []


def test_masters_join_one_at_a_time_and_are_cloned_together():
    pool = make_pool(MASTER)
    second, third = make_machines(pool, 2, 3)

    steps = add_machines_plan(pool.cluster, [second, third])

    assert ready_key(second) in before(steps, f"{third.name}/powered-on")
    assert not any("/" in key for key in before(steps, f"{third.name}/cloned"))


def test_node_needs_a_fresh_token_before_it_gets_its_documents():
    pool = make_pool()
    (machine,) = make_machines(pool, 1, 1)

    steps = add_machines_plan(pool.cluster, [machine])

    assert "join-token" in before(steps, f"{machine.name}/configured")


def test_steps_before_come_before_everything():
    pool = make_pool()
    steps = add_machines_plan(pool.cluster, make_machines(pool, 1, 2), after=["earlier"])

    first = [step for step in steps if not set(step.depends_on) & {other.key for other in steps}]

    assert all("earlier" in step.depends_on for step in first)


def test_machine_is_touched_when_its_node_has_left():
    pool = make_pool()
    (machine,) = make_machines(pool, 1, 1)

    steps = remove_machines_plan(pool.cluster, [machine])

    assert f"{machine.name}/out-of-cluster" in before(steps, f"{machine.name}/powered-off")


def test_masters_leave_one_at_a_time_and_workers_together():
    masters, workers = make_pool(MASTER), make_pool(WORKER)
    first, second = make_machines(masters, 1, 2)
    one, other = make_machines(workers, 1, 2)

    steps = remove_machines_plan(masters.cluster, [first, second, one, other])

    assert gone_key(first) in before(steps, f"{second.name}/out-of-cluster")
    assert gone_key(one) not in before(steps, f"{other.name}/out-of-cluster")


@pytest.mark.parametrize(
    ("surge", "unavailable"), [(1, 0), (0, 1), (2, 0), (0, 2), (1, 1), (2, 1), (3, 3), (5, 0), (0, 5)]
)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_workers_are_replaced_within_their_limits(count, surge, unavailable):
    old, new, steps = replacement(count, surge=surge, unavailable=unavailable)

    most, fewest = most_and_fewest(old, new, steps)

    assert most <= count + surge
    assert fewest >= count - unavailable
    check_graph(steps)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_masters_are_replaced_one_by_one_whatever_their_pool_says(count):
    old, new, steps = replacement(count, MASTER, surge=3, unavailable=2)

    assert most_and_fewest(old, new, steps) == (count + 1, count)
    for number in range(1, count):
        assert gone_key(old[number - 1]) in before(steps, f"{new[number].name}/addresses-claimed")


def test_version_is_told_first_and_the_addons_follow_last():
    old, new, steps = replacement(3, MASTER, version="1.32.0")
    version, addons = f"{MASTER}-pool:kubernetes-version", f"{MASTER}-pool:addons"

    assert version in before(steps, f"{new[0].name}/addresses-claimed")
    assert {gone_key(machine) for machine in old} <= before(steps, addons)
    assert steps[-1].arguments == {"version": "1.32.0"}


@pytest.mark.parametrize(("role", "version"), [(MASTER, "1.31.2"), (WORKER, "1.32.0")])
def test_version_is_not_told_when_it_stays_or_for_workers(role, version):
    _old, _new, steps = replacement(2, role, version=version)

    assert not any("version" in step.function for step in steps)


def test_more_new_masters_than_old_ones_join_one_at_a_time():
    pool = make_pool(MASTER)
    (old,), new = make_machines(pool, 1, 1), make_machines(pool, 2, 4)

    steps = replace_machines_plan(pool, [old], new)

    assert ready_key(new[1]) in before(steps, f"{new[2].name}/cloned")


def test_fewer_new_masters_than_old_ones_leave_one_at_a_time():
    pool = make_pool(MASTER)
    old, new = make_machines(pool, 1, 3), make_machines(pool, 4, 4)

    steps = replace_machines_plan(pool, old, new)

    assert gone_key(old[1]) in before(steps, f"{old[2].name}/out-of-cluster")
