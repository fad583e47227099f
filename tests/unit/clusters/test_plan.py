from graphlib import TopologicalSorter
from uuid import uuid4

from django.utils.module_loading import import_string

from clusters.models import AddressAllocation, Cluster, Machine, MachinePool, PoolRole
from clusters.plan import ADDRESSES_CLAIMED, CLUSTER_RUNNING, NODES_READY, provision_plan
from palette_portal.orchestration.graph import check_graph
from palette_portal.orchestration.steps import StepSpec


def machines_of(cluster, role, size):
    pool = MachinePool(id=uuid4(), cluster=cluster, role=role, size=size)
    word = "cp" if role == PoolRole.CONTROL_PLANE else "w"
    return [
        Machine(id=uuid4(), cluster=cluster, pool=pool, index=n, name=f"gw-{word}-{n}")
        for n in range(1, size + 1)
    ]


def plan(masters=3, workers=0, allocation=AddressAllocation.STATIC, extra=()):
    cluster = Cluster(name="gw", address_allocation=allocation)
    machines = machines_of(cluster, PoolRole.CONTROL_PLANE, masters)
    machines += machines_of(cluster, PoolRole.WORKER, workers)
    return provision_plan(cluster, machines, extra_steps=extra)


def before(steps, key):
    """All keys that must be done before this one."""
    depends = {step.key: step.depends_on for step in steps}
    found, left = set(), [key]
    while left:
        for earlier in depends[left.pop()]:
            if earlier not in found:
                found.add(earlier)
                left.append(earlier)
    return found


def test_plan_is_a_graph_whose_functions_exist():
    steps = plan(workers=2)

    check_graph(steps)
    for step in steps:
        assert callable(import_string(step.function))


def test_plan_clones_side_by_side():
    steps = plan()

    for n in (1, 2, 3):
        assert not any("/" in key for key in before(steps, f"gw-cp-{n}/cloned"))


def test_plan_powers_the_next_master_on_when_the_former_has_joined():
    steps = plan()

    assert "gw-cp-1/in-cluster" in before(steps, "gw-cp-2/powered-on")
    assert "gw-cp-2/in-cluster" in before(steps, "gw-cp-3/powered-on")
    assert not any("in-cluster" in key for key in before(steps, "gw-cp-1/powered-on"))


def test_plan_lets_workers_join_together_once_the_control_plane_is_up():
    steps = plan(workers=2)

    for n in (1, 2):
        earlier = {key for key in before(steps, f"gw-w-{n}/powered-on") if "in-cluster" in key}
        assert earlier == {"gw-cp-1/in-cluster"}


def test_plan_does_the_longest_chain_first():
    steps = plan(workers=1)

    for name in ("gw-cp-2", "gw-cp-3", "gw-w-1"):
        assert "gw-cp-1/powered-on" in before(steps, f"{name}/configured")
    assert "gw-cp-2/powered-on" in before(steps, "gw-w-1/powered-on")


def test_plan_with_dhcp_claims_no_addresses():
    assert ADDRESSES_CLAIMED not in [step.key for step in plan(allocation=AddressAllocation.DHCP)]


def test_plan_claims_addresses_before_the_first_clone():
    assert ADDRESSES_CLAIMED in before(plan(), "gw-cp-1/cloned")


def test_cluster_runs_after_the_extra_steps():
    extra = StepSpec(key="health", title="Register health", function="x.y", depends_on=(NODES_READY,))

    steps = plan(extra=[extra])

    assert {"health", NODES_READY} <= before(steps, CLUSTER_RUNNING)
    assert next(step for step in steps if step.key == "health").group == ""


def test_steps_of_a_machine_stand_together():
    groups = [step.group for step in plan()]

    ordered = [group for n, group in enumerate(groups) if n == 0 or groups[n - 1] != group]
    assert ordered == ["", "gw-cp-1", "gw-cp-2", "gw-cp-3", ""]


def test_every_step_can_be_reached():
    steps = plan(workers=1)

    order = list(TopologicalSorter({step.key: step.depends_on for step in steps}).static_order())
    assert len(order) == len(steps)


def test_workers_that_are_short_start_clones_and_masters_first():
    head_start = {step.key: step.head_start_seconds for step in plan(masters=1, workers=1)}

    first = [f"gw-cp-1/{word}" for word in ("cloned", "configured", "powered-on", "address", "in-cluster")]
    assert {head_start[key] for key in (*first, "gw-w-1/cloned")} == {60}
    assert {head_start[key] for key in (ADDRESSES_CLAIMED, "account-valid", "image-found")} == {30}
    assert head_start["gw-w-1/configured"] == head_start["gw-cp-1/blanked"] == head_start[NODES_READY] == 0
