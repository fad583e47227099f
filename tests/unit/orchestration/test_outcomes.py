import pytest

from palette_portal.orchestration.outcomes import Retry


@pytest.mark.parametrize(
    ("retry", "attempt", "seconds"),
    [
        (Retry.SOON, 1, 2),
        (Retry.SOON, 2, 4),
        (Retry.SOON, 5, 32),
        (Retry.SOON, 6, 60),
        (Retry.SOON, 10_000, 60),
        (Retry.SLOWLY, 1, 60),
        (Retry.SLOWLY, 2, 120),
        (Retry.SLOWLY, 5, 600),
    ],
)
def test_retry_pause_doubles_up_to_its_longest(retry, attempt, seconds):
    assert retry.seconds_after(attempt) == seconds
