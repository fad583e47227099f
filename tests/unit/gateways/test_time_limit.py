import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateways import time_limit
from gateways.models import ConfigureDraft
from gateways.placement import fetch_inventory
from gateways.time_limit import AT_ONCE, TooManyAtOnce, within
from palette_portal.vsphere.errors import Unreachable


@pytest.fixture
def places() -> Iterator[threading.BoundedSemaphore]:
    with pytest.MonkeyPatch.context() as patch:
        free = threading.BoundedSemaphore(AT_ONCE)
        patch.setattr(time_limit, "_places", free)
        yield free


def test_one_more_than_may_ask_at_once_is_told_immediately(places: threading.BoundedSemaphore) -> None:
    all_ask, answer = threading.Barrier(AT_ONCE + 1), threading.Event()

    def hang() -> bool:
        all_ask.wait(10)
        return answer.wait(10)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = [pool.submit(within, 10, hang) for _ in range(AT_ONCE)]
        all_ask.wait(10)
        with pytest.raises(TooManyAtOnce, match="Try again"):
            within(10, lambda: True)
        answer.set()

    assert all(asked.result() for asked in waiting)


def test_place_is_free_again_after_an_error_and_after_too_long(places: threading.BoundedSemaphore) -> None:
    never = threading.Event()
    for _ in range(AT_ONCE):
        assert within(0.01, lambda: never.wait(10)) is None
        with pytest.raises(ZeroDivisionError):
            within(10, lambda: 1 // 0)
    never.set()

    assert within(10, lambda: "answer") == "answer"


def test_too_many_at_once_while_reading_the_inventory_is_a_hint_on_the_page(
    places: threading.BoundedSemaphore,
) -> None:
    draft = ConfigureDraft(
        password="secret", pages={"vcenter": {"values": {"server": "vc", "username": "amelia"}}}
    )
    for _ in range(AT_ONCE):
        places.acquire()

    with pytest.raises(Unreachable) as busy:
        fetch_inventory(draft)

    assert busy.value.hint == "Try again in a few seconds."
