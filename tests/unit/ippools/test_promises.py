from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from ippools.promises import Promise, promised
from ippools.reservations import Reservation

reservations = st.builds(Reservation, st.integers(0, 99), st.integers(0, 1), st.integers(0, 9))
promises = st.builds(Promise, st.uuids(), reservations, st.integers(0, 120))


@given(promises)
def test_cluster_with_its_promise_has_its_reservation_or_more(promise: Promise) -> None:
    assert promise.held + promise.count == max(promise.held, promise.reservation.total)
    assert promise.count >= 0


@given(st.lists(promises, unique_by=lambda promise: promise.cluster_id), st.integers(0, 200))
def test_claiming_one_address_takes_one_from_the_promise_and_no_more(rows: list[Promise], more: int) -> None:
    mine = Promise(uuid4(), Reservation(50), more)
    later = Promise(mine.cluster_id, mine.reservation, more + 1)

    assert promised([*rows, mine]) - promised([*rows, later]) == (1 if more < 50 else 0)


@given(st.lists(promises, unique_by=lambda promise: promise.cluster_id), st.uuids())
def test_own_promise_is_left_out_and_nothing_else(rows: list[Promise], stranger: UUID) -> None:
    for mine in rows:
        assert promised(rows, besides=mine.cluster_id) + mine.count == promised(rows)
    assert promised(rows, besides=stranger) <= promised(rows)
