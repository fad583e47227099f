import random

FIRST_SECONDS = 2.0
TRANSIENT_CAP_SECONDS = 60.0
PERMANENT_CAP_SECONDS = 300.0
_PERMANENT_FIRST_SECONDS = 15.0


class Backoff:
    """Doubles the pause from attempt to attempt, with jitter so that many installers do not call at once."""

    def __init__(self) -> None:
        self._failures = 0

    def reset(self) -> None:
        self._failures = 0

    def next_pause(self, *, transient: bool, at_least: float = 0) -> float:
        first = FIRST_SECONDS if transient else _PERMANENT_FIRST_SECONDS
        cap = TRANSIENT_CAP_SECONDS if transient else PERMANENT_CAP_SECONDS
        # The exponent is bounded: an installer may retry for years.
        pause: float = min(cap, first * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return max(at_least, pause * random.uniform(0.8, 1.2))
