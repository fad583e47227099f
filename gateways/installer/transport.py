"""One JSON request to the portal, directly or through a proxy; every way it can fail has its own error."""

import errno
import http.client
import ipaddress
import json
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gateways.installer.errors import (
    CertificateNotTrusted,
    InstallerError,
    NameNotFound,
    NoRoute,
    ProxyFailed,
    WrongEndpoint,
)
from gateways.installer.rules import InstallerProperties, decode_certificate

TIMEOUT_SECONDS = 20
_MAXIMUM_ANSWER_BYTES = 64 * 1024
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)


@dataclass(frozen=True)
class Answer:
    status: int
    document: dict[str, Any] | None
    retry_after: float


class Transport:
    def __init__(self, properties: InstallerProperties) -> None:
        self._endpoint = properties.console_endpoint
        parts = urlsplit(self._endpoint)
        self.proxy = "" if bypasses_proxy(parts.hostname or "", properties.no_proxy) else _proxy(properties)
        self._host = parts.netloc
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({parts.scheme: self.proxy} if self.proxy else {}),
            urllib.request.HTTPSHandler(context=_tls_context(properties.certificate)),
            _NoRedirects(),
        )

    def post(self, path: str, body: dict[str, Any], token: str = "") -> Answer:
        request = urllib.request.Request(
            self._endpoint + path, data=json.dumps(body).encode(), headers=_headers(token), method="POST"
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                return _read(response)
        except urllib.error.HTTPError as error:
            with error:
                return _read(error)
        except urllib.error.URLError as error:
            explained = self._explain(error.reason)
        except (OSError, http.client.HTTPException) as error:
            explained = self._explain(error)
        # Raised up there it would keep the cause, and with it the connection to a proxy that refused.
        raise explained

    def own_address(self) -> str:
        """The address this VM uses towards the portal; nothing is sent."""
        parts = urlsplit(self.proxy or self._endpoint)
        try:
            found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, target = found[0]
            with socket.socket(family, kind, protocol) as probe:
                probe.connect(target)
                return str(probe.getsockname()[0])
        except OSError as error:
            raise self._explain(error) from None

    def _explain(self, cause: object) -> InstallerError:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CertificateNotTrusted(
                f"The certificate of {self._host} does not verify: {cause.verify_message}."
            )
        if isinstance(cause, ssl.SSLError | http.client.HTTPException) and not _is_cut_off(cause):
            return WrongEndpoint(f"{self._host} answers, but does not speak the portal's protocol.")
        if self.proxy:
            return ProxyFailed(
                f"{self._host} cannot be reached through the proxy {_shown(self.proxy)}: {_short(cause)}."
            )
        if isinstance(cause, socket.gaierror):
            return NameNotFound(f"DNS does not know {urlsplit(self._endpoint).hostname}: {_short(cause)}.")
        return NoRoute(_no_route_sentence(self._host, cause))


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_keywords: Any) -> None:
        """A redirected POST would lose its body; the answer itself says what is wrong."""


def bypasses_proxy(host: str, no_proxy: str) -> bool:
    entries = [entry.strip().lower() for entry in no_proxy.split(",") if entry.strip()]
    return host == "localhost" or any(_matches(host.lower(), entry) for entry in entries)


def _matches(host: str, entry: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        name = entry.removeprefix("*").removeprefix(".")
        return not name or host == name or host.endswith(f".{name}")


def _proxy(properties: InstallerProperties) -> str:
    is_https = properties.console_endpoint.startswith("https:")
    return properties.https_proxy if is_https else properties.http_proxy


def _tls_context(certificate: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if certificate:
        context.load_verify_locations(cadata=decode_certificate(certificate))
    return context


def _headers(token: str) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "palette-installer",
    }
    return headers | ({"Authorization": f"Bearer {token}"} if token else {})


def _read(response: http.client.HTTPResponse | urllib.error.HTTPError) -> Answer:
    text = response.read(_MAXIMUM_ANSWER_BYTES)
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    retry_after = response.headers.get("Retry-After", "")
    return Answer(
        status=response.status or 0,
        document=document if isinstance(document, dict) else None,
        retry_after=float(retry_after) if retry_after.isdigit() else 0,
    )


def _is_cut_off(cause: object) -> bool:
    """A portal or load balancer that is restarting ends connections without an answer."""
    return isinstance(cause, ConnectionError | ssl.SSLEOFError)


def _no_route_sentence(host: str, cause: object) -> str:
    if isinstance(cause, ConnectionRefusedError):
        return f"The host of {host} is there, but nothing listens on that port."
    if isinstance(cause, TimeoutError):
        return f"{host} did not answer within {TIMEOUT_SECONDS} seconds."
    if isinstance(cause, OSError) and cause.errno in _NO_ROUTE:
        return f"There is no route from this VM to {host}."
    return f"The connection to {host} failed: {_short(cause)}."


def _short(cause: object) -> str:
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return text.rstrip(".") or type(cause).__name__


def _shown(proxy: str) -> str:
    """The proxy without its user name and password."""
    parts = urlsplit(proxy)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
