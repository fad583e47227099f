"""TLS with vCenter: every connection is verified, by a CA or by a pinned SHA-256 thumbprint."""

import errno
import hashlib
import hmac
import ssl
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from http.client import HTTPResponse, HTTPSConnection
from socket import create_connection
from typing import Any

from cryptography import x509

from palette_portal.vsphere.endpoint import Endpoint, parse_server
from palette_portal.vsphere.errors import CertificateNotTrusted
from palette_portal.vsphere.faults import CONNECTION_ERRORS, translate


@dataclass(frozen=True)
class Timeouts:
    connect_seconds: float = 10
    read_seconds: float = 60


@dataclass(frozen=True)
class Trust:
    """A thumbprint pins exactly one certificate; else the given CA decides; else the system's."""

    thumbprint_sha256: str = ""
    ca_pem: str = ""

    def context(self) -> ssl.SSLContext:
        return _unverified_context() if self.thumbprint_sha256 else _verifying_context(self.ca_pem)

    def accepts(self, certificate: bytes) -> bool:
        if not self.thumbprint_sha256:
            return True
        return hmac.compare_digest(_digits(thumbprint_of(certificate)), _digits(self.thumbprint_sha256))


@dataclass(frozen=True)
class ServerCertificate:
    thumbprint_sha256: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    trusted: bool
    problem: str


class ConnectedSocket(ssl.SSLSocket):
    """Closes itself when the server cut the connection before TLS began; the plain class would leak it."""

    def getpeername(self) -> Any:
        try:
            return super().getpeername()
        except OSError as problem:
            self.close()
            raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer") from problem


class VerifiedConnection(HTTPSConnection):
    """Checks the certificate of the very connection it uses, again whenever it reconnects.

    pyVmomi's own thumbprint check switches verification off in the shared context after the first mismatch
    and leaves later connections unchecked, so it is not used.
    """

    def __init__(self, endpoint: Endpoint, trust: Trust, timeouts: Timeouts) -> None:
        super().__init__(
            endpoint.host, endpoint.port, timeout=timeouts.connect_seconds, context=trust.context()
        )
        self.endpoint = endpoint
        self.trust = trust
        self.timeouts = timeouts
        self.answer: HTTPResponse | None = None

    def getresponse(self) -> HTTPResponse:
        self.answer = super().getresponse()
        return self.answer

    def close(self) -> None:
        """Also the answer's share of the socket: pyVmomi drops an answer with an unexpected status unread."""
        super().close()
        if self.answer is not None:
            self.answer.close()
            self.answer = None

    def connect(self) -> None:
        try:
            super().connect()
        except ssl.SSLCertVerificationError as problem:
            raise self._refusal(problem.verify_message) from problem
        certificate = self.sock.getpeercert(binary_form=True) or b""
        if not self.trust.accepts(certificate):
            self.close()
            raise _not_trusted(self.endpoint, certificate, "it is not the certificate that was confirmed")
        self.sock.settimeout(self.timeouts.read_seconds)

    def _refusal(self, problem: str) -> CertificateNotTrusted:
        certificate = _read_certificate(self.endpoint, _unverified_context(), self.timeouts)
        return _not_trusted(self.endpoint, certificate, problem)


def fetch_certificate(
    server: str, *, ca_pem: str = "", timeouts: Timeouts | None = None
) -> ServerCertificate:
    """Look at the server's certificate; nothing but a TLS handshake is sent."""
    endpoint = parse_server(server)
    timeouts = timeouts or Timeouts()
    try:
        certificate = _read_certificate(endpoint, _unverified_context(), timeouts)
        problem = _problem(endpoint, Trust(ca_pem=ca_pem), timeouts)
    except CONNECTION_ERRORS as error:
        raise translate(error, server=str(endpoint)) from error
    return _describe(certificate, problem)


def thumbprint_of(certificate: bytes) -> str:
    digest = hashlib.sha256(certificate).hexdigest().upper()
    return ":".join(digest[start : start + 2] for start in range(0, len(digest), 2))


def _digits(thumbprint: str) -> str:
    return thumbprint.replace(":", "").replace(" ", "").upper()


@lru_cache(maxsize=64)
def _verifying_context(ca_pem: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=ca_pem or None)
    except (ssl.SSLError, ValueError) as problem:
        raise CertificateNotTrusted(
            "The CA certificate of the account cannot be read.",
            "Paste it in PEM form.",
            problem=str(problem),
        ) from problem
    context.sslsocket_class = ConnectedSocket
    return context


def _unverified_context() -> ssl.SSLContext:
    """For looking at a certificate, and for connections whose certificate is compared with the pinned one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = ConnectedSocket
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _read_certificate(endpoint: Endpoint, context: ssl.SSLContext, timeouts: Timeouts) -> bytes:
    with (
        create_connection((endpoint.host, endpoint.port), timeout=timeouts.connect_seconds) as raw,
        context.wrap_socket(raw, server_hostname=endpoint.host) as tls,
    ):
        return tls.getpeercert(binary_form=True) or b""


def _problem(endpoint: Endpoint, trust: Trust, timeouts: Timeouts) -> str:
    try:
        _read_certificate(endpoint, trust.context(), timeouts)
    except ssl.SSLCertVerificationError as problem:
        return problem.verify_message
    return ""


def _describe(certificate: bytes, problem: str) -> ServerCertificate:
    parsed = x509.load_der_x509_certificate(certificate)
    return ServerCertificate(
        thumbprint_sha256=thumbprint_of(certificate),
        subject=parsed.subject.rfc4514_string(),
        issuer=parsed.issuer.rfc4514_string(),
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
        trusted=not problem,
        problem=problem,
    )


def _not_trusted(endpoint: Endpoint, certificate: bytes, problem: str) -> CertificateNotTrusted:
    thumbprint = thumbprint_of(certificate)
    return CertificateNotTrusted(
        f"The certificate of {endpoint} is not trusted: {problem}. Its SHA-256 thumbprint is {thumbprint}.",
        thumbprint_sha256=thumbprint,
        problem=problem,
    )
