"""Who opens a stream: Django's session cookie, read in a thread without touching the session."""

import hashlib
from dataclasses import dataclass
from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie

from palette_portal.orchestration.changes import PAGES_CHANNEL, notify
from palette_portal.tenants.models import User

LOGOUT_PREFIX = "logout:"


@dataclass(frozen=True)
class Visitor:
    session_key: str

    @property
    def fingerprint(self) -> str:
        """Names the session without being of use to anybody who reads it."""
        return hashlib.sha256(self.session_key.encode()).hexdigest()[:32]

    def user(self) -> User | None:
        """None when the session ended, its user was deactivated, or the password was changed."""
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(self.session_key)
        user = get_user(request)
        return user if isinstance(user, User) else None


def visitor_of(cookie_header: str) -> Visitor | None:
    session_key = parse_cookie(cookie_header).get(settings.SESSION_COOKIE_NAME)
    return Visitor(session_key) if session_key else None


def end_streams_of_session(*, request: HttpRequest | None, **signal: object) -> None:
    """On logout, in every web process."""
    if request is not None and (session_key := request.session.session_key):
        notify(PAGES_CHANNEL, LOGOUT_PREFIX + Visitor(session_key).fingerprint)
