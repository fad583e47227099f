import pytest

from gateways.installer.properties import PROPERTIES
from gateways.installer.rules import InvalidProperties, decode_certificate, find_problems, parse_properties
from tests.unit.gateways.installer.factories import (
    PAIRING_CODE,
    PROXY_VALUES,
    SSH_KEY,
    encode_certificate,
    make_certificate,
    make_values,
)


def test_properties_with_only_the_required_ones() -> None:
    properties = parse_properties(make_values())

    assert properties.installer_name == "Frankfurt 1"
    assert properties.pairing_code == PAIRING_CODE
    assert properties.http_proxy == ""


def test_properties_with_all_of_them() -> None:
    certificate, _ = make_certificate()
    values = make_values(
        ssh_public_key=SSH_KEY,
        pod_cidr="192.168.0.0/16",
        service_cidr="10.96.0.0/12",
        certificate=encode_certificate(certificate),
    )

    assert find_problems(values | PROXY_VALUES) == {}


def test_property_values_with_spaces_around_them() -> None:
    properties = parse_properties(make_values(pairing_code=f" {PAIRING_CODE}\n"))

    assert properties.pairing_code == PAIRING_CODE


def test_required_properties_left_empty() -> None:
    required = {item.id for item in PROPERTIES if item.required}

    assert set(find_problems({})) == required
    assert required == {"palette.installer_name", "palette.console_endpoint", "palette.pairing_code"}


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(InvalidProperties) as caught:
        parse_properties(make_values(console_endpoint="portal", pod_cidr="10.0.0.0/99"))

    assert set(caught.value.problems) == {"palette.console_endpoint", "palette.pod_cidr"}
    assert "Console endpoint" in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://portal.example.com",
        "https://portal.example.com:8443",
        "https://10.1.2.3",
        "http://127.0.0.1:8000",
        "http://localhost:8000",
    ],
)
def test_console_endpoint_that_is_fine(endpoint: str) -> None:
    assert find_problems(make_values(console_endpoint=endpoint)) == {}


@pytest.mark.parametrize(
    ("endpoint", "sentence"),
    [
        ("https://portal.example.com/", "slash at the end: https://portal.example.com"),
        ("https://portal.example.com/login", "Only https://"),
        ("https://amelia@portal.example.com", "Only https://"),
        ("http://portal.example.com", "Use https"),
        ("portal.example.com", "Write the address as"),
        ("ftp://portal.example.com", "Write the address as"),
        ("https://portal.example.com:notaport", "Write the address as"),
        ("https://portal_1.example.com", "not a host name"),
    ],
)
def test_console_endpoint_that_is_wrong(endpoint: str, sentence: str) -> None:
    problems = find_problems(make_values(console_endpoint=endpoint))

    assert sentence in problems["palette.console_endpoint"]


@pytest.mark.parametrize("name", ["-frankfurt", "frankfurt_", "a" * 64, "köln", "a;b"])
def test_installer_name_that_is_wrong(name: str) -> None:
    assert "palette.installer_name" in find_problems(make_values(installer_name=name))


@pytest.mark.parametrize(
    ("cidr", "sentence"),
    [
        ("10.0.0.0", "with its prefix"),
        ("10.0.0.1/16", "did you mean 10.0.0.0/16?"),
        ("10.0.0.0/33", "is not a network"),
        ("pods/16", "is not a network"),
    ],
)
def test_pod_cidr_that_is_wrong(cidr: str, sentence: str) -> None:
    assert sentence in find_problems(make_values(pod_cidr=cidr))["palette.pod_cidr"]


def test_cidrs_that_overlap() -> None:
    problems = find_problems(make_values(pod_cidr="10.96.0.0/16", service_cidr="10.96.0.0/12"))

    assert problems == {"palette.service_cidr": "10.96.0.0/12 overlaps the Pod CIDR 10.96.0.0/16."}


@pytest.mark.parametrize("missing", PROXY_VALUES)
def test_proxy_values_without_one_of_them(missing: str) -> None:
    values = make_values() | PROXY_VALUES | {missing: ""}

    assert find_problems(values) == {missing: "HTTP PROXY, HTTPS PROXY and NO Proxy are needed together."}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("palette.http_proxy", "proxy.example.com:3128"),
        ("palette.https_proxy", "socks5://proxy.example.com:3128"),
        ("palette.http_proxy", 'http://bao:"secret"@proxy:3128'),
        ("palette.http_proxy", "http://proxy:3128/path"),
        ("palette.no_proxy", "vcenter.example.com,,10.0.0.0/8"),
        ("palette.no_proxy", "http://vcenter.example.com"),
    ],
)
def test_proxy_value_that_is_wrong(key: str, value: str) -> None:
    assert set(find_problems(make_values() | PROXY_VALUES | {key: value})) == {key}


@pytest.mark.parametrize("key", ["ssh-dss AAAA", "ssh-ed25519", SSH_KEY[:40], f"{SSH_KEY}\n{SSH_KEY}"])
def test_ssh_key_that_is_wrong(key: str) -> None:
    assert "palette.ssh_public_key" in find_problems(make_values(ssh_public_key=key))


def test_certificate_whose_padding_was_cut() -> None:
    certificate, _ = make_certificate()
    padded = certificate + "\n" * ((1 - len(certificate)) % 3)

    encoded = encode_certificate(padded)

    assert len(encoded) % 4 == 3
    assert decode_certificate(encoded) == padded


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("-----BEGIN CERTIFICATE-----", "encode it with base64"),
        ("no base64!", "not base64"),
        ("aGVsbG8", "holds no certificate"),
    ],
)
def test_certificate_that_is_wrong(value: str, sentence: str) -> None:
    assert sentence in find_problems(make_values(certificate=value))["palette.certificate"]


def test_secrets_are_not_in_repr() -> None:
    shown = repr(parse_properties(make_values() | PROXY_VALUES))

    assert PAIRING_CODE not in shown
    assert "hidden" not in shown
