import pytest

from clusters.states import ClusterState, MachineState
from gateways.states import GatewayState
from palette_portal.orchestration.models import OperationState, StepState
from palette_portal.tenants.looks import THINGS, UNKNOWN, WORK, Look, look_of


@pytest.mark.parametrize("state", [*GatewayState, *ClusterState, *MachineState])
def test_every_state_of_a_thing_has_its_look(state: str) -> None:
    assert look_of(state) is not UNKNOWN or state == "Unknown"


@pytest.mark.parametrize("state", [*OperationState, *StepState])
def test_every_state_of_work_has_its_look(state: str) -> None:
    assert look_of(state, "step") is not UNKNOWN


def test_running_work_is_not_a_running_thing() -> None:
    assert (look_of("Running").tone, look_of("Running", "step").tone) == ("ok", "info")


@pytest.mark.parametrize("looks", [THINGS, WORK], ids=["things", "work"])
def test_colour_is_never_alone(looks: dict[str, Look]) -> None:
    """Two states of different tone differ in shape too, the spinner of work in progress apart."""
    tones_by_icon: dict[str, set[str]] = {}
    for look in looks.values():
        tones_by_icon.setdefault(look.icon, set()).add(look.tone)
    tones_by_icon.pop("loader-circle")

    assert {icon: tones for icon, tones in tones_by_icon.items() if len(tones) > 1} == {}
