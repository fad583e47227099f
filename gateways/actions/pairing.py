"""First contact: pairing codes, the installer's registration and its heartbeats.

A code is shown once, lives for settings.PAIRING_CODE_MINUTES and lets one installer in. Only its keyed hash
is kept.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from gateways.models import PairingCode, PrivateCloudGateway
from gateways.states import GatewayState, check_pairable
from palette_portal.orchestration.actions import announce_subject, record_event
from palette_portal.orchestration.models import Severity
from palette_portal.tenants import audit
from palette_portal.tenants.models import Tenant, User

# Crockford's alphabet: nothing that can be misread when it is typed into vSphere.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class RegistrationRefused(Exception):
    """The installer may not register; `code` is for the agent, `reason` for the person who reads its log."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Registration:
    """What an installer says about itself; validated by the API."""

    pairing_code: str = field(repr=False)
    name: str
    ip_address: str
    version: str
    instance_uuid: UUID | None
    pod_cidr: str = ""
    service_cidr: str = ""
    http_proxy: str = field(default="", repr=False)
    https_proxy: str = field(default="", repr=False)
    no_proxy: str = ""
    proxy_certificate: str = ""


@transaction.atomic
def create_gateway(*, tenant: Tenant, by: User) -> tuple[PrivateCloudGateway, str]:
    """Make a Pending gateway that waits for its installer; return it and the pairing code to show."""
    gateway = PrivateCloudGateway.objects.create(tenant=tenant, created_by=by)
    code = _issue_code(gateway)
    _audit(gateway, by, "create")
    announce_subject(gateway.subject)
    return gateway, code


@transaction.atomic
def regenerate_pairing_code(*, gateway: PrivateCloudGateway, by: User) -> str:
    """Revoke the open code and return a new one. Raise Conflict when the gateway takes no installer."""
    gateway = PrivateCloudGateway.objects.select_for_update(no_key=True).get(pk=gateway.pk)
    check_pairable(gateway)
    gateway.pairing_codes.filter(used_at=None, revoked_at=None).update(revoked_at=timezone.now())
    code = _issue_code(gateway)
    _audit(gateway, by, "regenerate-pairing-code")
    return code


@transaction.atomic
def register_installer(registration: Registration) -> tuple[PrivateCloudGateway, str]:
    """Let the installer in and return its gateway and token. Raise RegistrationRefused.

    An installer whose answer got lost on the way may come again with the same code: it is the same VM
    (instance UUID), and nobody has used the token of the lost answer.
    """
    code = _find_code(registration.pairing_code)
    # The gateway's lock first, as for a new code: it guards the codes too.
    gateway = PrivateCloudGateway.objects.select_for_update(no_key=True).get(pk=code.gateway_id)
    code.refresh_from_db()
    again = _is_same_installer(gateway, code, registration)
    if not again:
        _check_usable(code, gateway)
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    gateway.registered_at = now
    gateway.installer_token_hash = hash_token(token)
    gateway.installer_ip = registration.ip_address
    gateway.installer_version = registration.version
    gateway.installer_instance_uuid = registration.instance_uuid
    gateway.pod_cidr, gateway.service_cidr = registration.pod_cidr, registration.service_cidr
    gateway.http_proxy, gateway.https_proxy = registration.http_proxy, registration.https_proxy
    gateway.no_proxy, gateway.proxy_certificate = registration.no_proxy, registration.proxy_certificate
    _save_named(gateway, registration.name)
    code.used_at = code.used_at or now
    code.save(update_fields=["used_at"])
    if not again:
        record_event(
            subject=gateway.subject,
            severity=Severity.INFO,
            reason="InstallerRegistered",
            message=f"The installer {gateway.name} registered from {registration.ip_address}.",
        )
    return gateway, token


@transaction.atomic
def record_heartbeat(*, gateway: PrivateCloudGateway, ip_address: str, version: str) -> None:
    changed = gateway.installer_ip != ip_address
    rows = PrivateCloudGateway.objects.filter(pk=gateway.pk)
    rows.update(installer_ip=ip_address, installer_version=version, last_heartbeat_at=timezone.now())
    if changed:
        record_event(
            subject=gateway.subject,
            severity=Severity.INFO,
            reason="InstallerAddressChanged",
            message=f"The installer of {gateway} answers from {ip_address} now.",
        )


def find_installer(gateway_id: UUID, token: str) -> PrivateCloudGateway | None:
    """The gateway whose installer holds this token."""
    gateway = PrivateCloudGateway.objects.present().filter(pk=gateway_id).first()
    if (
        gateway
        and gateway.installer_token_hash
        and hmac.compare_digest(gateway.installer_token_hash, hash_token(token))
    ):
        return gateway
    return None


def hash_token(token: str) -> str:
    """Tokens are long and random: a plain digest is enough."""
    return sha256(token.encode()).hexdigest()


def hash_code(code: str) -> str:
    """Codes are short enough to type: the digest is keyed, so a copy of the table does not give them away."""
    return salted_hmac("gateways.pairing-code", normalise_code(code), algorithm="sha256").hexdigest()


def normalise_code(code: str) -> str:
    return code.upper().translate(_MISREAD)


def _issue_code(gateway: PrivateCloudGateway) -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    lifetime = timedelta(minutes=settings.PAIRING_CODE_MINUTES)
    PairingCode.objects.create(
        gateway=gateway, code_hash=hash_code(letters), expires_at=timezone.now() + lifetime
    )
    return "-".join(letters[i : i + 4] for i in range(0, 12, 4))


def _find_code(text: str) -> PairingCode:
    code = PairingCode.objects.filter(code_hash=hash_code(text)).first()
    if code is None:
        raise RegistrationRefused(
            "InvalidPairingCode",
            "The portal does not know this pairing code. Compare it with the portal's page.",
        )
    return code


def _check_usable(code: PairingCode, gateway: PrivateCloudGateway) -> None:
    if code.used_at is not None:
        raise RegistrationRefused(
            "PairingCodeUsed",
            "Another installer registered with this pairing code. Create a new one in the portal.",
        )
    if code.revoked_at is not None or code.expires_at <= timezone.now():
        raise RegistrationRefused(
            "PairingCodeExpired", "This pairing code is not valid any more. Create a new one in the portal."
        )
    if gateway.state not in (GatewayState.PENDING, GatewayState.ERROR):
        raise RegistrationRefused(
            "PairingCodeExpired", "The gateway of this pairing code takes no installer now."
        )


def _is_same_installer(gateway: PrivateCloudGateway, code: PairingCode, registration: Registration) -> bool:
    return (
        code.used_at is not None
        and registration.instance_uuid is not None
        and gateway.installer_instance_uuid == registration.instance_uuid
        and gateway.last_heartbeat_at is None
        and gateway.state != GatewayState.DELETED
    )


def _save_named(gateway: PrivateCloudGateway, wanted: str) -> None:
    """Another installer may take the same name at this moment: then it is the next free one."""
    if gateway.name:
        gateway.save()
        return
    gateway.name = _free_name(gateway, wanted)
    try:
        with transaction.atomic():
            gateway.save()
    except IntegrityError:
        taken, gateway.name = gateway.name, ""
        if _free_name(gateway, wanted) == taken:
            raise
        _save_named(gateway, wanted)


def _free_name(gateway: PrivateCloudGateway, wanted: str) -> str:
    """The installer's name, or the next free "name-2": its VM cannot be asked to choose again."""
    others = PrivateCloudGateway.objects.present().filter(tenant_id=gateway.tenant_id)
    taken = set(others.values_list("name", flat=True))
    candidates = (wanted if n == 1 else f"{wanted[:59]}-{n}" for n in range(1, len(taken) + 2))
    return next(name for name in candidates if name not in taken)


def _audit(gateway: PrivateCloudGateway, by: User, action: str) -> None:
    audit.record(
        by=by,
        action=action,
        obj_kind="gateway",
        obj_id=gateway.pk,
        obj_name=gateway.display_name,
        tenant=gateway.tenant,
    )
