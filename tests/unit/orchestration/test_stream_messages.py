from uuid import uuid4

import pytest

from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.stream import LiveStreams, Message, Subscription
from palette_portal.orchestration.stream.visitors import visitor_of


def test_message_of_many_lines():
    assert Message("patch", "<p>\na\r\n</p>").encode() == b"event: patch\ndata: <p>\ndata: a\ndata: </p>\n\n"


def test_message_with_id():
    assert Message("log", "x", 7).encode() == b"id: 7\nevent: log\ndata: x\n\n"


def test_message_without_content():
    assert Message("end", "").encode() == b"event: end\ndata: \n\n"


@pytest.mark.parametrize(
    ("path", "is_ours"),
    [
        ("/streams/log/", True),
        ("/streams/log/00000000-0000-4000-8000-000000000000/", True),
        ("/streams/log/1/", False),
        ("/streams/", False),
        ("/streams/log/more/", False),
        ("/", False),
    ],
)
def test_streams_handle_only_their_paths(path, is_ours):
    streams = LiveStreams([("streams/log/", object()), ("streams/log/<uuid:some_id>/", object())])

    assert streams.handles({"type": "http", "path": path}) is is_ours


def test_streams_leave_websockets_alone():
    streams = LiveStreams([("streams/log/", object())])

    assert not streams.handles({"type": "websocket", "path": "/streams/log/"})


def test_subscription_wants_its_tenant_and_subjects_only():
    tenant_id, cluster_id = uuid4(), uuid4()

    def subscribed_to(subjects):
        return Subscription(tenant_id, subjects, "key", list, lambda number: [], lambda change: [])

    change = Change(tenant_id, "cluster", cluster_id)
    assert subscribed_to(None).wants(change)
    assert subscribed_to(frozenset({("cluster", cluster_id)})).wants(change)
    assert not subscribed_to(frozenset({("gateway", cluster_id)})).wants(change)
    assert not subscribed_to(None).wants(Change(uuid4(), "cluster", cluster_id))


@pytest.mark.parametrize("header", ["", "other=1", "sessionid=", "\x00broken;;=;"])
def test_visitor_without_session(header):
    assert visitor_of(header) is None


def test_visitor_does_not_show_the_session_key_in_its_fingerprint():
    visitor = visitor_of("a=b; sessionid=abcdef123456")

    assert visitor.session_key == "abcdef123456"
    assert "abcdef" not in visitor.fingerprint


def test_visitor_is_found_beside_a_cookie_of_another_application():
    assert visitor_of('seen={"a": 1}; sessionid=abcdef123456').session_key == "abcdef123456"
