import pytest

from clusters.load import Load, Need, UnreadableLoad, parse_load, quantity

LINES = "\n".join(
    [
        "node\tprod-blue-1\t3920m\t7936Mi",
        "node\tprod-blue-2\t4\t8Gi",
        "pod\tdefault/web\tprod-blue-1\t\tReplicaSet\t500m,256Mi\t100m,64Mi",
        "pod\tkube-system/proxy\tprod-blue-1\t\tDaemonSet\t,",
        "pod\tdefault/batch\t\tUnschedulable\tJob\t1500m,2Gi\t",
        "pod\tdefault/gated\t\tSchedulingGated\tJob\t1,1Gi",
        "pod\tkube-system/agent\t\tUnschedulable\tDaemonSet\t1,1Gi",
    ]
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0),
        ("2", 2),
        ("250m", 0.25),
        ("1.5", 1.5),
        ("128Mi", 128 * 1024**2),
        ("2G", 2_000_000_000),
        ("1k", 1000),
        ("8054368Ki", 8054368 * 1024),
    ],
)
def test_quantity(text: str, value: float) -> None:
    assert quantity(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["one", "-1", "5 Mi", "1mi", "1e3x", "<no value>"])
def test_quantity_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        quantity(text)


def test_lines_of_a_cluster() -> None:
    load = parse_load(LINES)

    first, second = load.nodes
    assert (first.name, first.allocatable) == ("prod-blue-1", Need(3920, 7936))
    assert first.requested == Need(600, 320)
    assert second.allocatable == Need(4000, 8192)
    assert second.requested == Need()
    assert [(pod.name, pod.need) for pod in load.pending] == [("default/batch", Need(1500, 2048))]


def test_pods_of_every_node_do_not_count_as_use() -> None:
    lines = "node\ta\t1000m\t1000Mi\npod\tkube-system/x\ta\t\tDaemonSet\t900m,900Mi"

    (node,) = parse_load(lines).nodes

    assert node.used_part == 0
    assert node.requested == Need(900, 900)


def test_larger_part_of_cpu_and_memory_counts() -> None:
    lines = "node\ta\t1000m\t1000Mi\npod\tdefault/x\ta\t\tJob\t100m,500Mi"

    (node,) = parse_load(lines).nodes

    assert node.used_part == pytest.approx(0.5)
    assert not node.is_idle


@pytest.mark.parametrize(
    "line", ["", "node\ta\t1", "pod\tx", "pod\tx\tn\t\tJob\t1,2,3", "cluster\ta", "node\ta\tmany\t1Gi"]
)
def test_line_of_another_form_is_refused(line: str) -> None:
    with pytest.raises(UnreadableLoad, match="Line 2"):
        parse_load(f"node\ta\t1\t1Gi\n{line}\nnode\tb\t1\t1Gi")


def test_load_survives_its_way_through_the_database() -> None:
    load = parse_load(LINES)
    told = load.as_json()

    assert Load.from_json(told["nodes"], told["pending"]) == load
