"""Whether workers live, as the database sees it: each tree of workers keeps one connection that listens."""

from django.db import connection

from palette_portal.orchestration.changes import WORKERS_CHANNEL

# By the connection's name and not by its last command: a database may hide commands from other roles.
_LISTENING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = %s
"""


def workers_listening() -> int:
    with connection.cursor() as cursor:
        # Inside a transaction the view else shows what it showed before.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(_LISTENING, [WORKERS_CHANNEL])
        (count,) = cursor.fetchone() or (0,)
    return int(count)
