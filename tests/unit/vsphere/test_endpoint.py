import pytest

from palette_portal.vsphere.endpoint import Endpoint, parse_server
from palette_portal.vsphere.errors import InvalidServer


@pytest.mark.parametrize(
    ("server", "endpoint"),
    [
        ("vcenter.example.com", Endpoint("vcenter.example.com", 443)),
        ("vcenter.example.com:8443", Endpoint("vcenter.example.com", 8443)),
        ("10.10.1.4:9443", Endpoint("10.10.1.4", 9443)),
        ("[2001:db8::1]:8443", Endpoint("2001:db8::1", 8443)),
        ("[2001:db8::1]", Endpoint("2001:db8::1", 443)),
        ("2001:db8::1", Endpoint("2001:db8::1", 443)),
    ],
)
def test_server_with_and_without_port(server: str, endpoint: Endpoint) -> None:
    assert parse_server(server) == endpoint


@pytest.mark.parametrize("server", ["vcenter.example.com", "10.10.1.4:9443", "[2001:db8::1]:8443"])
def test_endpoint_reads_as_it_was_entered(server: str) -> None:
    assert str(parse_server(server)) == server


@pytest.mark.parametrize(
    ("server", "word"),
    [
        ("https://vcenter.example.com", "scheme"),
        ("vcenter .example.com", "space"),
        ("vcenter.example.com/sdk", "more than a host name"),
        ("amelia@vcenter.example.com", "more than a host name"),
        ("", "not a host name"),
        ("-vcenter", "not a host name"),
        ("a:b:c", "not a host name"),
        ("vcenter.example.com:", "port"),
        ("vcenter.example.com:0", "port"),
        ("vcenter.example.com:65536", "port"),
        ("vcenter.example.com:https", "port"),
    ],
)
def test_server_refused_with_the_reason(server: str, word: str) -> None:
    with pytest.raises(InvalidServer, match=word):
        parse_server(server)
