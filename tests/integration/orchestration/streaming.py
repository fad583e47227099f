"""The scene of the stream's tests: one subject, its channel, one person and a browser."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from palette_portal.orchestration.actions import record_event
from palette_portal.orchestration.models import Event, Severity
from palette_portal.orchestration.stream import LiveStreams, Message, Subscription
from palette_portal.tenants.models import User
from tests.integration.orchestration.acts import make_subject
from tests.integration.orchestration.browsing import Browser

PATH = "/streams/log/"


class LogChannel:
    """Log rows and one patch that says how many events there are. Rights and failures can be switched."""

    def __init__(self, subject):
        self.subject = subject
        self.rights = "all"
        self.renderings = 0
        self.snapshots = 0
        self.fails_once = False

    def open(self, user, path_arguments, query):
        if not self.rights or user.tenant_id != self.subject.tenant_id:
            return None
        text = query.get("q", "")
        return Subscription(
            tenant_id=self.subject.tenant_id,
            subjects=frozenset({(self.subject.kind, self.subject.id)}),
            key=(text, self.rights),
            snapshot=self.snapshot,
            log_after=lambda number: self.log_after(text, number),
            changed=self.changed,
        )

    def snapshot(self):
        self.snapshots += 1
        return [Message("patch", f"<p>{Event.objects.of(self.subject).count()}</p>")]

    def log_after(self, text, number):
        events = Event.objects.of(self.subject).matching(text=text).after(number)
        return [Message("log", f"<tr>\n{event.message}</tr>", event.number) for event in events]

    def changed(self, change):
        self.renderings += 1
        if self.fails_once:
            self.fails_once = False
            raise RuntimeError("a template is broken")
        return self.snapshot()


@pytest.fixture
def scene():
    subject = make_subject()
    amelia = User.objects.create_user(
        email="amelia@acme.example", password="x", full_name="Amelia", tenant_id=subject.tenant_id
    )
    channel = LogChannel(subject)
    return SimpleNamespace(
        subject=subject,
        amelia=amelia,
        session=sign_in(amelia),
        channel=channel,
        streams=LiveStreams(
            [("streams/log/", channel), ("streams/log/<uuid:some_id>/", channel)], per_session=40
        ),
    )


def sign_in(user):
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return session


def open_browser(scene, session=None, **more):
    cookie = f"{settings.SESSION_COOKIE_NAME}={(session or scene.session).session_key}"
    return Browser(scene.streams, PATH, cookie=cookie, **{"query": "after=0", **more})


def say(subject, *messages):
    for message in messages:
        record_event(subject=subject, severity=Severity.INFO, reason="Said", message=message)
