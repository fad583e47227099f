"""The token a machine's node reports with.

It is derived from SECRET_KEY and the machine's id, so the node's documents can be built again at any time and
come out the same; only its digest is stored. A new SECRET_KEY therefore cuts no running node off: the digest
of the token that the node holds stays valid. An empty digest lets nobody in.
"""

import hmac
from hashlib import sha256

from django.utils.crypto import salted_hmac

from clusters.models import Machine
from palette_portal.bootstrap.secret import Secret


def report_token(machine: Machine) -> Secret:
    return Secret(salted_hmac("clusters.report-token", str(machine.id), algorithm="sha256").hexdigest())


def token_digest(token: str) -> str:
    """Tokens are long and random: a plain digest is enough."""
    return sha256(token.encode()).hexdigest()


def is_token_of(machine: Machine | None, token: str) -> bool:
    """Take the same time whether the machine is known or not."""
    expected = machine.report_token_hash if machine else ""
    return hmac.compare_digest(expected or "-", token_digest(token))
