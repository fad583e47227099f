from hypothesis import given
from hypothesis import strategies as st

from ippools.usage import Usage


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    total = draw(st.integers(1, 2**64))
    used = draw(st.integers(0, total))
    resting = draw(st.integers(0, total - used))
    return Usage(total, used, resting, draw(st.integers(0, total - used - resting)))


@given(usages())
def test_bar_stays_inside_and_shows_whatever_exists(usage: Usage) -> None:
    kinds = [kind for kind, _, _ in usage.bar]

    assert kinds == [kind for kind in ("used", "resting", "reserved") if getattr(usage, kind)]
    assert all(left >= 0 and left + width <= 1000.1 for _, left, width in usage.bar)


@given(usages())
def test_every_address_is_counted_once(usage: Usage) -> None:
    assert usage.free + usage.used + usage.resting + usage.reserved == usage.total


def test_bar_of_a_half_used_pool_is_half_filled() -> None:
    assert Usage(total=200, used=100, resting=0, reserved=0).bar == [("used", 0, 500.0)]
