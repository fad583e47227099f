"""Each way the portal can be missed has its own error; a real server on loopback plays the other side."""

import errno
import http.client
import socket

import pytest

from gateways.installer.errors import (
    CertificateNotTrusted,
    InstallerError,
    NameNotFound,
    NoRoute,
    PortalTrouble,
    ProxyFailed,
    RequestRefused,
    TokenRefused,
    TooManyRequests,
    UnusableCode,
    WrongEndpoint,
    WrongPairingCode,
)
from gateways.installer.portal import Portal
from gateways.installer.rules import parse_properties
from gateways.installer.transport import bypasses_proxy
from tests.unit.gateways.installer.factories import PAIRING_CODE, encode_certificate, make_values
from tests.unit.gateways.installer.server import REGISTERED, Reply, Server

UUID = "4214c2f5-8f6c-4d7e-9a55-2a3c9d7b1e10"
HTML = Reply(404, "<html>Not here</html>", {"Content-Type": "text/html"})


def make_portal(server: Server, scheme: str = "http", **changes: str) -> Portal:
    values = make_values(console_endpoint=f"{scheme}://{server.address}", **changes)
    return Portal(parse_properties(values))


def proxy_through(server: Server) -> dict[str, str]:
    url = f"http://bao:hidden@{server.address}"
    return {"http_proxy": url, "https_proxy": url, "no_proxy": "vcenter.example.com"}


def test_register_sends_what_the_portal_asks_for(portal: Server) -> None:
    registration = make_portal(portal, pod_cidr="192.168.0.0/16").register(instance_uuid=UUID)

    assert (registration.gateway_uid, registration.token) == ("g-1", "issued-token")
    assert registration.heartbeat_seconds == 7
    request = portal.requests[0]
    assert request.path == "/v1/pcg/-/register"
    assert request.document == {
        "pairing_code": PAIRING_CODE,
        "name": "Frankfurt 1",
        "ip_address": "127.0.0.1",
        "version": "1.0.0",
        "instance_uuid": UUID,
        "pod_cidr": "192.168.0.0/16",
        "service_cidr": None,
        "proxy": None,
    }


def test_register_again_names_the_known_gateway(portal: Server) -> None:
    make_portal(portal).register(instance_uuid=UUID, gateway_uid="g-1")

    assert portal.requests[0].path == "/v1/pcg/g-1/register"


def test_heartbeat_carries_the_token(portal: Server) -> None:
    portal.replies = [Reply.of(200, {"state": "Running"})]

    heartbeat = make_portal(portal).heartbeat(gateway_uid="g-1", token="issued-token")

    assert heartbeat.state == "Running"
    assert portal.requests[0].path == "/v1/pcg/g-1/heartbeat"
    assert portal.requests[0].headers["Authorization"] == "Bearer issued-token"


@pytest.mark.parametrize(
    ("reply", "error", "sentence"),
    [
        (Reply.of(404, {"code": "InvalidPairingCode", "message": "no"}), WrongPairingCode, "does not know"),
        (Reply.of(410, {"code": "PairingCodeExpired", "message": "no"}), UnusableCode, "expired"),
        (Reply.of(410, {"code": "PairingCodeUsed", "message": "no"}), UnusableCode, "already used"),
        (Reply.of(429, {}, **{"Retry-After": "42"}), TooManyRequests, "fewer attempts"),
        (
            Reply.of(422, {"detail": [{"loc": ["body", "payload", "name"], "msg": "too long"}]}),
            RequestRefused,
            "name",
        ),
        (Reply.of(503, {}), PortalTrouble, "HTTP 503"),
        (Reply(502, "<html>bad gateway</html>"), PortalTrouble, "HTTP 502"),
        (HTML, WrongEndpoint, "not the Palette portal"),
        (Reply.of(404, {"detail": "Not Found"}), WrongEndpoint, "not the Palette portal"),
        (Reply(200, "<html>Welcome</html>"), WrongEndpoint, "not the Palette portal"),
        (Reply.of(200, {"hello": "world"}), WrongEndpoint, "not the Palette portal"),
        (Reply(302, "", {"Location": "https://login.example.com/"}), WrongEndpoint, "HTTP 302"),
    ],
)
def test_register_refused(portal: Server, reply: Reply, error: type[InstallerError], sentence: str) -> None:
    portal.replies = [reply]

    with pytest.raises(error, match=sentence) as caught:
        make_portal(portal).register(instance_uuid=UUID)

    assert caught.value.hint
    assert len(portal.requests) == 1


def test_register_too_often_waits_as_told(portal: Server) -> None:
    portal.replies = [Reply.of(429, {}, **{"Retry-After": "42"})]

    with pytest.raises(TooManyRequests) as caught:
        make_portal(portal).register(instance_uuid=UUID)

    assert caught.value.retry_after == 42


@pytest.mark.parametrize("status", [401, 404])
def test_heartbeat_whose_token_is_refused(portal: Server, status: int) -> None:
    portal.replies = [Reply.of(status, {"detail": "Unauthorized"})]

    with pytest.raises(TokenRefused):
        make_portal(portal).heartbeat(gateway_uid="g-1", token="old")


def test_heartbeat_answered_by_something_else(portal: Server) -> None:
    portal.replies = [HTML]

    with pytest.raises(WrongEndpoint):
        make_portal(portal).heartbeat(gateway_uid="g-1", token="issued-token")


def test_nothing_listens(portal: Server, unused_port: int) -> None:
    portal.address = f"127.0.0.1:{unused_port}"

    with pytest.raises(NoRoute, match="nothing listens"):
        make_portal(portal).register(instance_uuid=UUID)


def test_dns_does_not_know_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_keywords: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    with pytest.raises(NameNotFound, match=r"portal\.example\.com: Name or service not known"):
        Portal(parse_properties(make_values())).register(instance_uuid=UUID)


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no route"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "no route"),
        (TimeoutError("timed out"), "did not answer within"),
        (http.client.RemoteDisconnected("Remote end closed connection"), "Remote end closed connection"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "Connection reset by peer"),
    ],
)
def test_no_way_to_the_portal(
    portal: Server, monkeypatch: pytest.MonkeyPatch, cause: OSError, sentence: str
) -> None:
    def fail(*_arguments: object, **_keywords: object) -> None:
        raise cause

    monkeypatch.setattr(socket, "create_connection", fail)

    with pytest.raises(NoRoute, match=sentence):
        make_portal(portal).register(instance_uuid=UUID)


def test_certificate_nobody_vouches_for(tls_portal: tuple[Server, str]) -> None:
    server, _ = tls_portal

    with pytest.raises(CertificateNotTrusted, match="self-signed certificate"):
        make_portal(server, "https").register(instance_uuid=UUID)

    assert server.requests == []


def test_certificate_of_the_property_is_trusted(tls_portal: tuple[Server, str]) -> None:
    server, certificate = tls_portal

    registration = make_portal(server, "https", certificate=encode_certificate(certificate)).register(
        instance_uuid=UUID
    )

    assert registration.gateway_uid == "g-1"


def test_https_to_a_port_without_tls(portal: Server) -> None:
    with pytest.raises(WrongEndpoint, match="does not speak"):
        make_portal(portal, "https").register(instance_uuid=UUID)


def test_http_to_a_port_with_tls(tls_portal: tuple[Server, str]) -> None:
    server, _ = tls_portal

    with pytest.raises((WrongEndpoint, NoRoute)):
        make_portal(server, "http").register(instance_uuid=UUID)


def test_proxy_is_used(portal: Server, proxy: Server) -> None:
    proxy.replies = [REGISTERED]

    make_portal(portal, **proxy_through(proxy)).register(instance_uuid=UUID)

    assert proxy.requests[0].path == f"http://{portal.address}/v1/pcg/-/register"
    assert proxy.requests[0].headers["Proxy-Authorization"].startswith("Basic ")
    assert proxy.requests[0].document["proxy"]["no_proxy"] == "vcenter.example.com"
    assert portal.requests == []


def test_proxy_is_left_out_for_an_excluded_network(portal: Server, proxy: Server) -> None:
    settings = proxy_through(proxy) | {"no_proxy": "127.0.0.0/8"}

    make_portal(portal, **settings).register(instance_uuid=UUID)

    assert proxy.requests == []
    assert len(portal.requests) == 1


@pytest.mark.parametrize(
    ("scheme", "reply", "sentence"),
    [
        ("http", Reply(407, "who are you"), "another user name or password"),
        ("http", Reply(502, "<html>no upstream</html>"), "could not get an answer"),
        ("https", Reply(407, "who are you"), "407"),
        ("https", Reply(403, "forbidden"), "403"),
    ],
)
def test_proxy_does_not_let_us_through(
    portal: Server, proxy: Server, scheme: str, reply: Reply, sentence: str
) -> None:
    proxy.replies = [reply]

    with pytest.raises(ProxyFailed, match=sentence) as caught:
        make_portal(portal, scheme, **proxy_through(proxy)).register(instance_uuid=UUID)

    assert "hidden" not in str(caught.value)


def test_proxy_that_is_not_there(portal: Server, proxy: Server, unused_port: int) -> None:
    proxy.address = f"127.0.0.1:{unused_port}"

    with pytest.raises(ProxyFailed, match=f"through the proxy 127.0.0.1:{unused_port}"):
        make_portal(portal, **proxy_through(proxy)).register(instance_uuid=UUID)


@pytest.mark.parametrize(
    ("host", "no_proxy", "expected"),
    [
        ("portal.company.org", ".company.org", True),
        ("portal.company.org", "*.company.org", True),
        ("portal.company.org", "company.org", True),
        ("mycompany.org", "company.org", False),
        ("10.10.3.4", "vcenter, 10.10.0.0/16", True),
        ("10.11.3.4", "10.10.0.0/16", False),
        ("portal", "*", True),
        ("portal", "", False),
        ("localhost", "", True),
    ],
)
def test_no_proxy_entries(host: str, no_proxy: str, expected: bool) -> None:
    assert bypasses_proxy(host, no_proxy) is expected
