"""Who may have a live stream, and what ends it."""

from types import SimpleNamespace

import pytest

from palette_portal.orchestration.stream import LiveStreams, stream
from palette_portal.orchestration.stream.visitors import end_streams_of_session
from palette_portal.tenants.models import User
from tests.integration.orchestration.acts import make_tenant
from tests.integration.orchestration.browsing import Browser, browse, in_thread
from tests.integration.orchestration.streaming import PATH, open_browser, say, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


def test_stream_of_a_stranger_is_refused(scene):
    carla = User.objects.create_user(
        email="carla@other.example", password="x", full_name="Carla", tenant=make_tenant("other")
    )

    async def scenario():
        for browser, status in (
            (Browser(scene.streams, PATH), 401),
            (Browser(scene.streams, PATH, cookie="sessionid=forged"), 404),
            (open_browser(scene, sign_in_sync), 404),
        ):
            async with browser:
                await browser.until(lambda b: b.has_ended)
            assert (browser.status, browser.received) == (status, [])

    sign_in_sync = sign_in(carla)
    browse(scene.streams, scenario)


def test_stream_ends_when_the_right_is_gone(scene, monkeypatch):
    monkeypatch.setattr(stream, "CHECK_SECONDS", 0.05)

    async def scenario():
        async with open_browser(scene) as browser:
            await browser.until(lambda b: bool(b.received))
            scene.channel.rights = ""
            await browser.until(lambda b: b.has_ended)
            assert browser.received[-1].event == "end"

    browse(scene.streams, scenario)


def test_stream_of_a_deactivated_user_ends(scene, monkeypatch):
    monkeypatch.setattr(stream, "CHECK_SECONDS", 0.05)

    async def scenario():
        async with open_browser(scene) as browser:
            await browser.until(lambda b: bool(b.received))
            await in_thread(deactivate, scene.amelia)
            await browser.until(lambda b: b.has_ended)
            assert browser.received[-1].event == "end"

    browse(scene.streams, scenario)


def deactivate(user):
    User.objects.filter(pk=user.pk).update(is_active=False)


def test_stream_with_other_rights_than_before_asks_the_browser_to_come_again(scene, monkeypatch):
    monkeypatch.setattr(stream, "CHECK_SECONDS", 0.05)

    async def scenario():
        async with open_browser(scene) as browser:
            await browser.until(lambda b: bool(b.received))
            scene.channel.rights = "fewer"
            await browser.until(lambda b: b.has_ended)
            assert browser.received[-1].event == "patch"

    browse(scene.streams, scenario)


def test_stream_ends_at_once_on_logout_and_others_stay(scene):
    other_session = sign_in(scene.amelia)

    async def scenario():
        async with open_browser(scene) as browser, open_browser(scene, other_session) as other:
            await browser.until(lambda b: bool(b.received))
            await other.until(lambda b: bool(b.received))
            await in_thread(end_streams_of_session_of, scene.session)
            await browser.until(lambda b: b.has_ended)
            await in_thread(say, scene.subject, "still here")
            await other.until(lambda b: b.rows() == [1])

    browse(scene.streams, scenario)


def end_streams_of_session_of(session):
    end_streams_of_session(request=SimpleNamespace(session=session))


def test_stream_says_that_it_lives(scene, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.02)

    async def scenario():
        async with open_browser(scene) as browser:
            await browser.until(lambda b: b.heartbeats >= 2)

    browse(scene.streams, scenario)


def test_stream_too_many_of_one_session_is_refused_until_one_ends(scene):
    scene.streams = LiveStreams([("streams/log/", scene.channel)], per_session=2)
    other_session = sign_in(scene.amelia)

    async def scenario():
        async with open_browser(scene) as first:
            async with open_browser(scene) as second, open_browser(scene) as third:
                await third.until(lambda b: b.has_ended)
                assert (third.status, third.headers["retry-after"]) == (429, "30")
                async with open_browser(scene, other_session) as elsewhere:
                    await elsewhere.until(lambda b: b.status == 200)
                await second.until(lambda b: b.status == 200)
            async with open_browser(scene) as again:
                await again.until(lambda b: b.status == 200)
            await first.until(lambda b: b.status == 200)

    browse(scene.streams, scenario)


def test_stream_that_was_refused_takes_no_place(scene):
    scene.streams = LiveStreams([("streams/log/", scene.channel)], per_session=1)

    async def scenario():
        scene.channel.rights = ""
        async with open_browser(scene) as refused:
            await refused.until(lambda b: b.status == 404)
        scene.channel.rights = "all"
        async with open_browser(scene) as allowed:
            await allowed.until(lambda b: b.status == 200)

    browse(scene.streams, scenario)
