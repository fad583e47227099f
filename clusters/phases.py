"""How far a node has come, as it reports itself."""

from clusters.models import Machine

HEARTBEAT = "heartbeat"
FAILED = "failed"
# In the order in which a node reaches them; a node has either the second or the third.
PHASES = ("booted", "control-plane-ready", "joined", "packs-applied", "ready")


def rank(phase: str) -> int:
    """Of a phase that is not reached yet: -1."""
    return PHASES.index(phase) if phase in PHASES else -1


def has_reached(machine: Machine, phase: str) -> bool:
    return rank(machine.phase) >= rank(phase)
