import pytest

from palette_portal.bootstrap.errors import BootstrapError
from palette_portal.bootstrap.labels import label_problem
from palette_portal.bootstrap.nodes import Taint, TaintEffect
from tests.unit.bootstrap.factories import make_node


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tier", "web"),
        ("tier", ""),
        ("example.com/tier", "Web_1.0"),
        ("topology.kubernetes.io/zone", "zone-a"),
        ("node.kubernetes.io/instance-type", "large"),
        ("x.kubelet.kubernetes.io/y", "z"),
    ],
)
def test_label_that_a_node_can_have(key: str, value: str) -> None:
    assert label_problem(key, value) == ""


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("", "web", "not a valid key"),
        ("tier,zone", "web", "not a valid key"),
        ("/tier", "web", "not a valid key"),
        ("Example.com/tier", "web", "not a valid key"),
        ("tier", "web=1", "not a valid value"),
        ("tier", "a" * 64, "not a valid value"),
        ("node-role.kubernetes.io/worker", "", "is reserved"),
        ("kubernetes.io/anything", "", "is reserved"),
        ("x.k8s.io/anything", "", "is reserved"),
    ],
)
def test_label_that_a_node_cannot_have(key: str, value: str, problem: str) -> None:
    assert problem in label_problem(key, value)


def test_node_with_a_reserved_label_cannot_be_built() -> None:
    with pytest.raises(BootstrapError, match="is reserved"):
        make_node(labels={"node-role.kubernetes.io/worker": ""})


def test_taint_that_could_leave_its_place_cannot_be_built() -> None:
    with pytest.raises(BootstrapError, match="not a valid key"):
        Taint("gpu: yes", "", TaintEffect.NO_SCHEDULE)
