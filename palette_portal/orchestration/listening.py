"""Connections that LISTEN: plain psycopg, beside Django's, with the same parameters."""

from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

# A half-open connection to another host is noticed within half a minute.
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


def connection_parameters() -> dict[str, Any]:
    """What psycopg needs to reach Django's database, test databases included."""
    ours = ("cursor_factory", "context", "prepare_threshold", "server_side_binding")
    parameters = connection.get_connection_params()
    return {"connect_timeout": 5, **KEEPALIVES, **{k: v for k, v in parameters.items() if k not in ours}}


def connect_listener(channel: str) -> psycopg.Connection:
    """The channel is the connection's name, too, so that who listens can be counted."""
    parameters = {**connection_parameters(), "application_name": channel}
    listener = psycopg.connect(autocommit=True, **parameters)
    listener.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
    return listener
