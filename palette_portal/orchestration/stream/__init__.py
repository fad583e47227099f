"""Live pages: server-sent events beside Django, because a stream in Django pins a thread and a connection.

One LISTEN connection per web process is fanned out to all its streams. A stream holds no database connection.
After any interruption it replays from the tables: nothing is lost, and a log row (the only thing with an id)
comes once.
"""

from palette_portal.orchestration.stream.application import LiveStreams
from palette_portal.orchestration.stream.messages import Channel, Message, Subscription

__all__ = ["Channel", "LiveStreams", "Message", "Subscription"]
