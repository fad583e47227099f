import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.exceptions import ValidationError

from palette_portal.fields import (
    PRIVATE_KEY_REFUSED,
    AddressesField,
    DomainsField,
    HostsField,
    SSHKeysField,
    check_ssh_key,
    is_host_name,
)


def openssh(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def security_key() -> str:
    kind = b"sk-ssh-ed25519@openssh.com"
    blob = len(kind).to_bytes(4) + kind + (32).to_bytes(4) + bytes(32) + (4).to_bytes(4) + b"ssh:"
    return f"{kind.decode()} {base64.b64encode(blob).decode()} amelia"


ED25519 = openssh(ed25519.Ed25519PrivateKey.generate())


@pytest.mark.parametrize(
    "line",
    [
        ED25519,
        f"{ED25519} amelia@acme laptop",
        openssh(rsa.generate_private_key(65537, 2048)),
        openssh(ec.generate_private_key(ec.SECP256R1())),
        openssh(ec.generate_private_key(ec.SECP521R1())),
        security_key(),
    ],
)
def test_ssh_key_of_a_usable_kind_is_accepted(line: str) -> None:
    check_ssh_key(line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("AAAAC3NzaC1lZDI1NTE5", "begins with its type"),
        (f"no-pty {ED25519}", "begins with its type"),
        ("ssh-dss AAAAB3NzaC1kc3M=", "DSA"),
        ("ssh-ed25519", "not of the type"),
        ("ssh-ed25519 not-base64!", "not base64"),
        (ED25519.replace("ssh-ed25519", "ssh-rsa"), "not of the type ssh-rsa"),
        (ED25519[:41], "was a part lost"),
        (ED25519[:60], "damaged or incomplete"),
        (openssh(rsa.generate_private_key(65537, 1024)), "at least 2048 bits, this one has 1024"),
    ],
)
def test_ssh_key_that_is_wrong_is_refused_with_the_reason(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_ssh_key(line)


def test_ssh_keys_are_one_per_line_without_doubles() -> None:
    assert SSHKeysField().clean(f"{ED25519} a\r\n\r\n  {ED25519} a\n{security_key()}") == [
        f"{ED25519} a",
        security_key(),
    ]


def test_ssh_keys_each_wrong_line_is_named() -> None:
    with pytest.raises(ValidationError) as refused:
        SSHKeysField().clean(f"{ED25519}\nnonsense\nssh-dss x")

    assert [message[:7] for message in refused.value.messages] == ["Line 2:", "Line 3:"]


def test_ssh_keys_private_key_is_refused_loudly() -> None:
    with pytest.raises(ValidationError) as refused:
        SSHKeysField().clean("-----BEGIN RSA PRIVATE KEY-----\nMIIE")

    assert refused.value.messages == [PRIVATE_KEY_REFUSED]


@pytest.mark.parametrize(
    "text", ["10.0.0.4 time.acme.test", "10.0.0.4,time.acme.test", " 10.0.0.4;\ntime.acme.test,"]
)
def test_hosts_are_separated_by_anything_usual(text: str) -> None:
    assert HostsField().clean(text) == ["10.0.0.4", "time.acme.test"]


def test_hosts_may_be_ipv6() -> None:
    assert HostsField().clean("fd00::4") == ["fd00::4"]


@pytest.mark.parametrize(
    "text", ["10.0.0.256", "time_server", "https://time.acme.test", "-time", "a" * 64, "1.2.3"]
)
def test_hosts_refuse_what_is_no_host(text: str) -> None:
    with pytest.raises(ValidationError, match="neither a host name nor an IP address"):
        HostsField().clean(text)


def test_list_field_shows_a_stored_list_as_text() -> None:
    assert HostsField().prepare_value(["a", "b"]) == "a, b"
    assert SSHKeysField().prepare_value(["a", "b"]) == "a\nb"
    assert HostsField().prepare_value("typed") == "typed"


def test_addresses_field_refuses_names() -> None:
    with pytest.raises(ValidationError, match="“ns1” is not an IP address"):
        AddressesField().clean("10.0.0.2, ns1")


def test_domains_field_refuses_addresses() -> None:
    with pytest.raises(ValidationError, match="not a domain name"):
        DomainsField().clean("10.0.0.2")


@pytest.mark.parametrize(
    ("text", "is_name"), [("acme.test.", True), ("a..b", False), ("", False), ("x" * 254, False)]
)
def test_host_name_rules(text: str, is_name: bool) -> None:
    assert is_host_name(text) is is_name
