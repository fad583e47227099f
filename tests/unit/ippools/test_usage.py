from hypothesis import given
from hypothesis import strategies as st

from ippools.usage import Usage


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    total = draw(st.integers(1, 2**64))
    used = draw(st.integers(0, total))
    resting = draw(st.integers(0, total - used))
    reserved = draw(st.integers(0, total - used - resting))
    return Usage(total, used, resting, reserved, promised=draw(st.integers(0, 2 * total)))


@given(usages())
def test_bar_stays_inside_and_shows_whatever_exists(usage: Usage) -> None:
    kinds = [kind for kind, _, _ in usage.bar]

    there = [("used", usage.used), ("resting", usage.resting), ("promised", usage.free_and_promised)]
    assert kinds == [kind for kind, count in (*there, ("reserved", usage.reserved)) if count]
    assert all(left >= 0 and left + width <= 1000.1 for _, left, width in usage.bar)


@given(usages())
def test_every_address_is_counted_once(usage: Usage) -> None:
    assert usage.free + usage.used + usage.resting + usage.reserved == usage.total
    assert usage.open + usage.free_and_promised == usage.free


@given(usages())
def test_promise_is_backed_by_what_is_free_then_by_what_rests_and_the_rest_is_missing(usage: Usage) -> None:
    resting_and_promised = usage.promised - usage.free_and_promised - usage.missing

    assert 0 <= resting_and_promised <= usage.resting
    assert not usage.missing or usage.open == 0


def test_bar_of_a_half_used_pool_is_half_filled() -> None:
    assert Usage(total=200, used=100, resting=0, reserved=0).bar == [("used", 0, 500.0)]
