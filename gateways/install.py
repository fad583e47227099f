"""What the installation page says about one gateway, and how a pairing code gets to it exactly once."""

import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.fernet import InvalidToken
from django.http import HttpRequest
from django.utils import timezone

from gateways import installer
from gateways.installer_file import InstallerLink, installer_link
from gateways.models import PairingCode, PrivateCloudGateway
from palette_portal.encryption import decrypt, encrypt

LOG_SCRIPT = Path(installer.__file__).parent / "palette-logs.sh"
_SESSION_KEY = "pairing-codes"


@dataclass(frozen=True)
class Installation:
    """How far the installation is: `step` is "waiting", "overdue" or "registered"."""

    gateway: PrivateCloudGateway
    link: InstallerLink
    code_expires_at: datetime | None
    seconds_until_overdue: int
    step: str


def installation(gateway: PrivateCloudGateway) -> Installation:
    code = gateway.pairing_codes.filter(revoked_at=None).first()
    return Installation(
        gateway=gateway,
        link=installer_link(),
        code_expires_at=code.expires_at if code and code.used_at is None else None,
        seconds_until_overdue=_seconds_until(code.overdue_at) if code else 0,
        step=_step(gateway, code),
    )


def _seconds_until(at: datetime) -> int:
    return max(0, math.ceil((at - timezone.now()).total_seconds()))


def _step(gateway: PrivateCloudGateway, code: PairingCode | None) -> str:
    if gateway.is_registered:
        return "registered"
    return "overdue" if code and code.is_overdue else "waiting"


def keep_code_for_page(request: HttpRequest, gateway: PrivateCloudGateway, code: str) -> None:
    """Carry the code over the redirect, encrypted: the session table never holds it in clear."""
    codes = request.session.get(_SESSION_KEY, {})
    request.session[_SESSION_KEY] = {**codes, str(gateway.pk): encrypt(code)}


def take_code_for_page(request: HttpRequest, gateway: PrivateCloudGateway) -> str:
    """The code, once; empty for ever after."""
    codes = request.session.get(_SESSION_KEY, {})
    if str(gateway.pk) not in codes:
        return ""
    token = codes.pop(str(gateway.pk))
    request.session[_SESSION_KEY] = codes
    try:
        return decrypt(token)
    except InvalidToken:
        return ""
