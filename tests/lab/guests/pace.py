from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How long the parts of a guest's life take."""

    boot_seconds: float = 3.0
    init_seconds: float = 2.0
    join_seconds: float = 1.0
    step_seconds: float = 0.5
    heartbeat_seconds: float = 0.0  # 0: as often as the user-data's timer says
    instruction_seconds: float = 2.0  # between two questions for instructions
    drain_seconds: float = 2.0
    flap_seconds: float = 10.0
    join_timeout_seconds: float = 300.0


QUICK = Pace(
    boot_seconds=0.1,
    init_seconds=0.05,
    join_seconds=0.05,
    step_seconds=0.05,
    instruction_seconds=0.3,
    drain_seconds=0.05,
    flap_seconds=0.3,
)
