"""Live streams over the real ASGI application, on PostgreSQL."""

import asyncio
import signal
from types import SimpleNamespace

import pytest
from django.db import connection

from palette_portal.orchestration.actions import announce_subject
from palette_portal.orchestration.events import numbered_last
from palette_portal.orchestration.stream import topics
from tests.integration.orchestration.acts import make_subject
from tests.integration.orchestration.browsing import browse, in_thread
from tests.integration.orchestration.streaming import open_browser, say

pytestmark = pytest.mark.django_db(transaction=True)


def test_stream_replays_then_follows(scene):
    say(scene.subject, "one", "two")

    async def scenario():
        async with open_browser(scene) as browser:
            await browser.until(lambda b: b.rows() == [1, 2])
            await in_thread(say, scene.subject, "three")
            await browser.until(lambda b: b.rows() == [1, 2, 3] and b.last_patch() == "<p>3</p>")
            assert browser.received[-1].data == "<tr>\nthree</tr>"
            assert browser.status == 200
            assert browser.headers["content-type"].startswith("text/event-stream")
            assert browser.headers["x-accel-buffering"] == "no"

    browse(scene.streams, scenario)


def test_stream_after_number_replays_only_what_is_newer(scene):
    say(scene.subject, "one", "two", "three")

    async def scenario():
        async with open_browser(scene, query="after=2") as browser:
            await browser.until(lambda b: b.rows() == [3])
        async with open_browser(scene, query="after=1", last_event_id="3") as browser:
            await browser.until(lambda b: b.last_patch() == "<p>3</p>")
            await in_thread(say, scene.subject, "four")
            await browser.until(lambda b: b.rows() == [4])

    browse(scene.streams, scenario)


def test_stream_shows_only_its_subject_and_filter(scene):
    async def scenario():
        async with open_browser(scene, query="after=0&q=disk") as browser:
            await browser.until(lambda b: b.last_patch() == "<p>0</p>")
            other = make_other_subject(scene.subject)
            await in_thread(say, other, "disk of another")
            await in_thread(say, scene.subject, "cpu", "disk")
            await browser.until(lambda b: b.rows() == [3])

    browse(scene.streams, scenario)


def make_other_subject(subject):
    return make_subject(SimpleNamespace(pk=subject.tenant_id), name="other")


def test_stream_shows_a_change_without_event(scene):
    async def scenario():
        async with open_browser(scene) as browser:
            await browser.until(lambda b: len(b.received) == 1)
            await in_thread(announce_subject, scene.subject)
            await browser.until(lambda b: len(b.received) == 2)

    browse(scene.streams, scenario)


def test_stream_of_many_equal_pages_is_rendered_once(scene):
    async def scenario():
        browsers = [open_browser(scene) for _ in range(20)]
        for browser in browsers:
            await browser.__aenter__()
            await browser.until(lambda b: bool(b.received))
        await in_thread(say, scene.subject, "one")
        for browser in browsers:
            await browser.until(lambda b: b.rows() == [1])
            await browser.__aexit__()

    browse(scene.streams, scenario)

    assert scene.channel.renderings == 1


def test_stream_loses_and_repeats_nothing_under_writers_and_reconnects(scene):
    async def scenario():
        writers = [asyncio.create_task(in_thread(write_slowly, scene.subject, n)) for n in range(3)]
        seen: list[int] = []
        while len(seen) < 60:
            async with open_browser(scene, last_event_id=str(seen[-1] if seen else "")) as browser:
                wanted = min(7, 60 - len(seen))
                await browser.until(lambda b, wanted=wanted: len(b.rows()) >= wanted)
                seen += browser.rows()
        await asyncio.gather(*writers)
        assert seen == list(range(1, 61))

    browse(scene.streams, scenario)


def write_slowly(subject, writer):
    for n in range(20):
        with numbered_last():
            say(subject, f"{writer}-{n}")


def test_stream_goes_on_after_the_listening_connection_was_cut(scene):
    async def scenario():
        async with open_browser(scene) as browser:
            await browser.until(lambda b: bool(b.received))
            await in_thread(cut_listeners_and_say, scene.subject)
            await browser.until(lambda b: b.rows() == [1])
            await in_thread(say, scene.subject, "two")
            await browser.until(lambda b: b.rows() == [1, 2])

    browse(scene.streams, scenario)


def cut_listeners_and_say(subject):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        )
        assert cursor.rowcount == 1
    say(subject, "while nobody listened")


def test_stream_of_a_slow_browser_replays_instead_of_growing(scene, monkeypatch):
    monkeypatch.setattr(topics, "QUEUED_BATCHES", 5)

    async def scenario():
        async with open_browser(scene) as browser, open_browser(scene) as quick:
            await browser.until(lambda b: bool(b.received))
            browser.stop_reading()
            for n in range(30):
                await in_thread(say, scene.subject, str(n))
            await quick.until(lambda b: len(b.rows()) == 30)
            browser.go_on_reading()
            await browser.until(lambda b: len(b.rows()) == 30)
            assert browser.rows() == list(range(1, 31))

    browse(scene.streams, scenario)


def test_stream_survives_a_rendering_that_fails(scene, monkeypatch, caplog):
    monkeypatch.setattr(topics, "AGAIN_SECONDS", 0)

    async def scenario():
        async with open_browser(scene) as browser:
            await browser.until(lambda b: bool(b.received))
            scene.channel.fails_once = True
            await in_thread(say, scene.subject, "one")
            await browser.until(lambda b: b.rows() == [1])
            await in_thread(say, scene.subject, "two")
            await browser.until(lambda b: b.rows() == [1, 2])

    browse(scene.streams, scenario)
    assert "a template is broken" in caplog.text


def test_streams_all_end_at_shutdown(scene):
    async def scenario():
        async with open_browser(scene) as browser:
            await browser.until(lambda b: bool(b.received))
            scene.streams.end_all()
            await browser.until(lambda b: b.has_ended)
            assert browser.received[-1].event == "patch"

    browse(scene.streams, scenario)


def test_streams_end_on_sigterm_and_the_server_hears_it_too(scene):
    heard = []
    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))

    async def scenario():
        async with open_browser(scene) as browser:
            await browser.until(lambda b: bool(b.received))
            signal.raise_signal(signal.SIGTERM)
            await browser.until(lambda b: b.has_ended)

    try:
        browse(scene.streams, scenario)
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    assert heard == [signal.SIGTERM]


def test_streams_hold_no_database_connection(scene):
    async def scenario():
        async with open_browser(scene) as first:
            await first.until(lambda b: bool(b.received))
            browsers = [await open_browser(scene).__aenter__() for _ in range(30)]
            for browser in browsers:
                await browser.until(lambda b: bool(b.received))
            assert await in_thread(count_connections) <= 1 + 4 + 2
            for browser in browsers:
                await browser.__aexit__()

    browse(scene.streams, scenario)


def count_connections():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return cursor.fetchone()[0]


def test_streams_that_come_together_share_their_replay(scene):
    async def scenario():
        async with open_browser(scene) as first:
            await first.until(lambda b: bool(b.received))
            scene.channel.snapshots = 0
            browsers = [open_browser(scene) for _ in range(30)]
            for browser in browsers:
                await browser.__aenter__()
            for browser in browsers:
                await browser.until(lambda b: bool(b.received))
                await browser.__aexit__()

    browse(scene.streams, scenario)

    assert 1 <= scene.channel.snapshots < 15


def test_stream_without_number_shows_only_what_comes(scene):
    say(scene.subject, "old")

    async def scenario():
        async with open_browser(scene, query="") as browser:
            await browser.until(lambda b: bool(b.received))
            await in_thread(say, scene.subject, "new")
            await browser.until(lambda b: b.rows() == [2])

    browse(scene.streams, scenario)
