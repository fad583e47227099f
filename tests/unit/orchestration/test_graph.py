import pytest

from palette_portal.orchestration.graph import InvalidSteps, check_graph
from palette_portal.orchestration.steps import StepSpec


def spec(key: str, *depends_on: str) -> StepSpec:
    return StepSpec(key=key, title=key, function="x.y", depends_on=depends_on)


def test_graph_with_fan_out_and_fan_in():
    check_graph([spec("a"), spec("b", "a"), spec("c", "a"), spec("d", "b", "c")])


def test_graph_with_unknown_dependency():
    with pytest.raises(InvalidSteps, match="unknown step: z"):
        check_graph([spec("a", "z")])


def test_graph_with_dependency_on_a_step_that_exists():
    check_graph([spec("b", "a")], known_keys={"a"})


def test_graph_with_cycle():
    with pytest.raises(InvalidSteps, match="circle"):
        check_graph([spec("a", "c"), spec("b", "a"), spec("c", "b")])


def test_graph_with_key_twice():
    with pytest.raises(InvalidSteps, match="same key: a"):
        check_graph([spec("a"), spec("a")])


def test_graph_with_key_of_an_existing_step():
    with pytest.raises(InvalidSteps, match="same key: a"):
        check_graph([spec("a")], known_keys={"a"})
