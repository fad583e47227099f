"""An image's bytes from its address as they come, through a proxy if there is one; from nowhere denied."""

import io
import ipaddress
import ssl
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from palette_portal.vsphere.errors import DownloadFailed, ImageUnusable

SILENCE_SECONDS = 60


@dataclass(frozen=True)
class Route:
    """How the address is reached; proxy addresses may hold a password."""

    http_proxy: str = field(default="", repr=False)
    https_proxy: str = field(default="", repr=False)
    no_proxy: str = ""
    ca_pem: str = field(default="", repr=False)
    denied_networks: Sequence[str] = ()

    def proxies_for(self, url: str) -> dict[str, str]:
        if _is_excluded(urlsplit(url).hostname or "", self.no_proxy):
            return {}
        proxies = {"http": self.http_proxy, "https": self.https_proxy or self.http_proxy}
        return {scheme: proxy for scheme, proxy in proxies.items() if proxy}


class Download(io.RawIOBase):
    """Ends with an error, not silently, when the server stops before the announced length."""

    def __init__(self, answer: HTTPResponse, host: str) -> None:
        self._answer, self._host = answer, host
        self._missing = int(answer.headers.get("Content-Length") or 0)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            data: bytes = self._answer.read(None if size < 0 else size)
        except (OSError, HTTPException) as problem:
            raise DownloadFailed(f"{self._host} stopped sending the image: {problem}.") from problem
        self._missing -= len(data)
        if not data and size != 0 and self._missing > 0:
            raise DownloadFailed(f"{self._host} stopped sending the image before its end.")
        return data


@contextmanager
def open_image(url: str, route: Route) -> Iterator[Download]:
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ImageUnusable(f"“{url}” is not an address that an image can be fetched from.")
    with _opened(url, address.hostname, route) as answer:
        yield Download(answer, address.hostname)


@contextmanager
def _opened(url: str, host: str, route: Route) -> Iterator[HTTPResponse]:
    try:
        answer = _opener(route, url).open(url, timeout=SILENCE_SECONDS)
    except HTTPError as refused:
        with refused:
            raise DownloadFailed(f"{host} did not give the image (HTTP {refused.code}): {url}.") from refused
    except URLError as problem:
        raise DownloadFailed(f"The image cannot be fetched from {host}: {problem.reason}.") from problem
    except (OSError, HTTPException) as problem:
        raise DownloadFailed(f"The image cannot be fetched from {host}: {problem}.") from problem
    with answer:
        yield answer


def _opener(route: Route, url: str) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context()
    if route.ca_pem:
        context.load_verify_locations(cadata=route.ca_pem)
    denied = [ipaddress.ip_network(network) for network in route.denied_networks]

    def check(connection: HTTPConnection) -> None:
        peer = ipaddress.ip_address(connection.sock.getpeername()[0].partition("%")[0])
        plain = getattr(peer, "ipv4_mapped", None) or peer
        if any(plain in network for network in denied):
            connection.close()
            raise ImageUnusable(f"{connection.host} leads to {plain}. The portal fetches nothing from there.")

    handlers = [_Plain(check), _Secure(check, context), urllib.request.ProxyHandler(route.proxies_for(url))]
    opener = urllib.request.OpenerDirector()
    for handler in (
        *handlers,
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


Check = Callable[[HTTPConnection], None]


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, check: Check) -> None:
        super().__init__()
        self.check = check

    def http_open(self, request: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_checked(HTTPConnection, self.check), request)


class _Secure(urllib.request.HTTPSHandler):
    def __init__(self, check: Check, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self.check, self.context = check, context

    def https_open(self, request: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_checked(HTTPSConnection, self.check), request, context=self.context)


def _checked(kind: type[Any], check: Check) -> Any:
    """The connection looks whom it reached: a name may lead elsewhere a moment after it was looked up."""

    class Checked(kind):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            check(self)

    return Checked


def _is_excluded(host: str, no_proxy: str) -> bool:
    for entry in (part.strip().lstrip("*") for part in no_proxy.split(",")):
        if not entry:
            continue
        if _in_network(host, entry) or host == entry.lstrip(".") or host.endswith(f".{entry.lstrip('.')}"):
            return True
    return False


def _in_network(host: str, entry: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry)
    except ValueError:
        return False
