"""Verify a vCenter before its credentials are used: name, route, certificate, version, login, clock.

Within a time limit, whatever the network does.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from django.conf import settings

from gateways.time_limit import within
from palette_portal.vsphere.errors import CertificateNotTrusted, LoginRefused, NoPermission, VSphereError
from palette_portal.vsphere.session import Credentials, connect
from palette_portal.vsphere.trust import ServerCertificate, Timeouts, fetch_certificate
from palette_portal.vsphere.version import clock_skew, judge_version

OVERALL_SECONDS = 15.0
READ_SECONDS = 10.0
SKEW_WARNING_SECONDS = 60

Field = Literal["server", "username", "password", "trusted_thumbprint"]


class VCenterRefused(Exception):
    """A check failed; `field` is the input it belongs to."""

    def __init__(self, field: Field, reason: str, *, certificate: ServerCertificate | None = None) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason
        self.certificate = certificate


@dataclass(frozen=True)
class VCenterFacts:
    """What the checks found out; kept with the draft and shown beside the later pages."""

    name: str
    version: str
    level: str
    sentence: str
    skew_seconds: int
    certificate_thumbprint: str
    certificate_subject: str
    certificate_issuer: str
    certificate_valid_until: str
    # Empty when a certificate authority vouches for the certificate: the account's own, or the system's.
    pinned_thumbprint: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def skew_warning(skew_seconds: int) -> str:
    if abs(skew_seconds) <= SKEW_WARNING_SECONDS:
        return ""
    direction = "ahead of" if skew_seconds > 0 else "behind"
    return (
        f"vCenter's clock is {abs(skew_seconds)} s {direction} the portal's. "
        "Certificates of new nodes may be refused: set the same NTP servers on both."
    )


def verify_vcenter(
    credentials: Credentials, *, trusted_thumbprint: str, limit_seconds: float = OVERALL_SECONDS
) -> VCenterFacts:
    """Run all checks. Raise VCenterRefused at the first that fails, or when the time is over.

    `trusted_thumbprint` is the certificate that a person compared and trusts; it only counts if no
    certificate authority, the account's own or one of the system's, vouches for the server.
    """
    facts = within(limit_seconds, lambda: _verify(credentials, trusted_thumbprint))
    if facts is None:
        raise VCenterRefused(
            "server",
            f"{credentials.server} did not finish answering within {limit_seconds:.0f} seconds. "
            "Check the network between the portal and vCenter, then try again.",
        )
    return facts


def _verify(credentials: Credentials, trusted_thumbprint: str) -> VCenterFacts:
    try:
        certificate = fetch_certificate(credentials.server, ca_pem=credentials.ca_pem, timeouts=_timeouts())
        pinned = _pinned_thumbprint(certificate, trusted_thumbprint)
        return _log_in(replace(credentials, thumbprint_sha256=pinned), certificate)
    except VSphereError as error:
        raise VCenterRefused(_field_of(error), _in_words(error)) from error


def _pinned_thumbprint(certificate: ServerCertificate, trusted_thumbprint: str) -> str:
    if certificate.trusted:
        return ""
    if trusted_thumbprint == certificate.thumbprint_sha256:
        return trusted_thumbprint
    changed = "has changed since you confirmed it" if trusted_thumbprint else "is not known to the portal"
    raise VCenterRefused(
        "trusted_thumbprint",
        f"The server's certificate {changed} ({certificate.problem}). "
        "Compare it with the one your vSphere administrator gives you.",
        certificate=certificate,
    )


def _log_in(credentials: Credentials, certificate: ServerCertificate) -> VCenterFacts:
    with connect(credentials, _timeouts()) as vcenter:
        verdict = judge_version(vcenter.about)
        return VCenterFacts(
            name=vcenter.about.full_name,
            version=vcenter.about.version,
            level=verdict.level,
            sentence=verdict.sentence,
            skew_seconds=round(clock_skew(vcenter).total_seconds()),
            certificate_thumbprint=certificate.thumbprint_sha256,
            certificate_subject=certificate.subject,
            certificate_issuer=certificate.issuer,
            certificate_valid_until=certificate.not_after.isoformat(),
            pinned_thumbprint=credentials.thumbprint_sha256,
        )


def _timeouts() -> Timeouts:
    return Timeouts(
        connect_seconds=min(settings.VSPHERE_CONNECT_TIMEOUT_SECONDS, OVERALL_SECONDS),
        read_seconds=min(settings.VSPHERE_READ_TIMEOUT_SECONDS, READ_SECONDS),
    )


def _field_of(error: VSphereError) -> Field:
    if isinstance(error, LoginRefused):
        return "password"
    if isinstance(error, NoPermission):
        return "username"
    if isinstance(error, CertificateNotTrusted):
        return "trusted_thumbprint"
    return "server"


def _in_words(error: VSphereError) -> str:
    return f"{error.sentence} {error.hint}".strip()
