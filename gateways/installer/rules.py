"""What the property values must look like. The portal's form and the agent refuse the same values."""

import base64
import binascii
import ipaddress
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from gateways.installer.properties import PROPERTIES

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9 ._-]{0,61}[A-Za-z0-9])?")
_PAIRING_CODE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{2,38})[A-Za-z0-9]")
_HOST = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?"
)
_DOMAIN = re.compile(rf"(\*?\.)?{_HOST.pattern}")
_KEY_TYPE = re.compile(
    r"ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com"
)
# Printable ASCII without what ends a quoted string on a guest.
_PLAIN = re.compile(r"[!#-\[\]-~]*")
_PROXY_IDS = ("palette.http_proxy", "palette.https_proxy", "palette.no_proxy")
_LABELS = {item.id: item.label for item in PROPERTIES}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class InvalidProperties(ValueError):
    """`problems` holds one sentence per property id."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(f"{_LABELS[key]}: {problem}" for key, problem in problems.items()))
        self.problems = dict(problems)


@dataclass(frozen=True)
class InstallerProperties:
    installer_name: str
    console_endpoint: str
    pairing_code: str = field(repr=False)
    ssh_public_key: str = ""
    pod_cidr: str = ""
    service_cidr: str = ""
    http_proxy: str = field(default="", repr=False)
    https_proxy: str = field(default="", repr=False)
    no_proxy: str = ""
    certificate: str = field(default="", repr=False)


def parse_properties(values: Mapping[str, str]) -> InstallerProperties:
    """Values by property id, as typed. Raise InvalidProperties naming every problem at once."""
    cleaned = {item.id: values.get(item.id, "").strip() for item in PROPERTIES}
    problems = find_problems(cleaned)
    if problems:
        raise InvalidProperties(problems)
    return InstallerProperties(**{key.removeprefix("palette."): value for key, value in cleaned.items()})


def find_problems(values: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the values, one sentence per property id; empty when all is well."""
    cleaned = {item.id: values.get(item.id, "").strip() for item in PROPERTIES}
    problems = {}
    for item in PROPERTIES:
        value = cleaned[item.id]
        problem = _RULES[item.id](value) if value else "This value is required." if item.required else ""
        if problem:
            problems[item.id] = problem
    return _overlap_problem(cleaned) | _proxy_problems(cleaned) | problems


def decode_certificate(value: str) -> str:
    """PEM text of a base64 value whose `=` at the end may be missing. Raise ValueError with the reason."""
    if "BEGIN CERTIFICATE" in value:
        raise ValueError("This is the certificate itself; encode it with base64 first.")
    try:
        data = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        raise ValueError("This is not base64.") from None
    pem = _as_pem(data)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise ValueError("The decoded value holds no certificate.") from None
    return pem


def _as_pem(data: bytes) -> str:
    if b"-----BEGIN" not in data:
        return ssl.DER_cert_to_PEM_cert(data)
    return data.decode("ascii", errors="replace")


def _check_name(value: str) -> str:
    if _NAME.fullmatch(value):
        return ""
    return (
        "Use up to 63 letters, digits, spaces, dots, dashes and underscores; a letter or digit at both ends."
    )


def _check_endpoint(value: str) -> str:
    parts = _split(value)
    if parts is None or not parts.hostname or parts.scheme not in ("https", "http"):
        return "Write the address as https://HOST or https://HOST:PORT."
    if value.endswith("/"):
        return f"Leave out the slash at the end: {value.rstrip('/')}"
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        return "Only https://, the host and the port belong here."
    if not _is_host(parts.hostname):
        return f"{parts.hostname} is not a host name or address."
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        return "Use https: the pairing code must not travel in the clear."
    return ""


def _check_pairing_code(value: str) -> str:
    return (
        ""
        if _PAIRING_CODE.fullmatch(value)
        else "Enter the code as the portal shows it: letters, digits and dashes."
    )


def _check_ssh_key(value: str) -> str:
    kind, _, rest = value.partition(" ")
    body = rest.split(" ")[0]
    if "\n" in value or not _KEY_TYPE.fullmatch(kind):
        return "Enter one OpenSSH public key in one line, such as ssh-ed25519 AAAA..."
    try:
        blob = base64.b64decode(body, validate=True)
    except binascii.Error:
        blob = b""
    # An OpenSSH key repeats its type at its start, so a key cut while copying is noticed.
    if not blob.startswith(len(kind).to_bytes(4, "big") + kind.encode()) or len(blob) < len(kind) + 36:
        return "The key is damaged; copy the whole line of the .pub file."
    return ""


def _check_network(value: str) -> str:
    if "/" not in value:
        return "Write the network with its prefix, such as 192.168.0.0/16."
    try:
        ipaddress.ip_network(value)
    except ValueError:
        return _network_hint(value)
    return ""


def _network_hint(value: str) -> str:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return f"{value} is not a network such as 192.168.0.0/16."
    return f"The network starts at another address; did you mean {network}?"


def _check_proxy_url(value: str) -> str:
    parts = _split(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        return "Write the proxy as http://USERNAME:PASSWORD@HOST:PORT."
    if not _PLAIN.fullmatch(value):
        return "Spaces, quotes and backslashes in the user name or password must be percent-encoded."
    if not _is_host(parts.hostname) or parts.path not in ("", "/") or parts.query or parts.fragment:
        return "Only the user name, password, host and port belong here."
    return ""


def _check_no_proxy(value: str) -> str:
    wrong = [entry for entry in value.split(",") if not _is_no_proxy_entry(entry.strip())]
    return f"{wrong[0].strip() or 'An empty entry'} is not a host, domain or network." if wrong else ""


def _check_certificate(value: str) -> str:
    try:
        decode_certificate(value)
    except ValueError as error:
        return str(error)
    return ""


def _overlap_problem(values: Mapping[str, str]) -> dict[str, str]:
    pods, services = (_network(values[key]) for key in ("palette.pod_cidr", "palette.service_cidr"))
    if pods is None or services is None or pods.version != services.version or not pods.overlaps(services):
        return {}
    return {"palette.service_cidr": f"{services} overlaps the Pod CIDR {pods}."}


def _proxy_problems(values: Mapping[str, str]) -> dict[str, str]:
    missing = [key for key in _PROXY_IDS if not values[key]]
    if len(missing) in (0, len(_PROXY_IDS)):
        return {}
    return {key: "HTTP PROXY, HTTPS PROXY and NO Proxy are needed together." for key in missing}


def _split(value: str) -> SplitResult | None:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _network(value: str) -> Network | None:
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        return None


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_host(value: str) -> bool:
    return _is_address(value) or bool(_HOST.fullmatch(value))


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_no_proxy_entry(value: str) -> bool:
    return value == "*" or _is_address(value) or _network(value) is not None or bool(_DOMAIN.fullmatch(value))


_RULES: dict[str, Callable[[str], str]] = {
    "palette.installer_name": _check_name,
    "palette.console_endpoint": _check_endpoint,
    "palette.pairing_code": _check_pairing_code,
    "palette.ssh_public_key": _check_ssh_key,
    "palette.pod_cidr": _check_network,
    "palette.service_cidr": _check_network,
    "palette.http_proxy": _check_proxy_url,
    "palette.https_proxy": _check_proxy_url,
    "palette.no_proxy": _check_no_proxy,
    "palette.certificate": _check_certificate,
}
