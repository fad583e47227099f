"""Fields that several forms of the product share: lists of SSH keys, hosts and addresses."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from django import forms
from django.core.exceptions import ValidationError

HOST_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
SSH_KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
SHORTEST_RSA_BITS = 2048
PRIVATE_KEY = "PRIVATE KEY"
PRIVATE_KEY_REFUSED = (
    "This is a PRIVATE key. It was not stored, but it has left its safe place: replace the pair, "
    "then paste the public key (the file that ends in .pub)."
)


def is_host_name(text: str) -> bool:
    """A DNS name; a name of digits only at the end would be a mistyped IP address."""
    labels = text.rstrip(".").split(".")
    return (
        len(text) <= 253 and all(HOST_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()
    )


def is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_ssh_key(line: str) -> None:
    """Raise ValueError with the reason when the line is not one usable OpenSSH public key."""
    kind, _, rest = line.partition(" ")
    if kind == "ssh-dss":
        raise ValueError("DSA keys are no longer accepted by OpenSSH.")
    if kind not in SSH_KEY_TYPES:
        raise ValueError("a key begins with its type, such as ssh-ed25519.")
    blob = _decode(rest.split(" ", 1)[0])
    named = blob[4 : 4 + int.from_bytes(blob[:4], "big")]
    if named != kind.encode():
        raise ValueError(f"the key's content is not of the type {kind}; was a part lost when it was copied?")
    if not kind.startswith("sk-"):
        _check_content(kind, blob)


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError(
            "the part after the type is not base64; was a part lost when it was copied?"
        ) from None


def _check_content(kind: str, blob: bytes) -> None:
    try:
        key = load_ssh_public_key(f"{kind} {base64.b64encode(blob).decode()}".encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("the key is damaged or incomplete.") from None
    if isinstance(key, RSAPublicKey) and key.key_size < SHORTEST_RSA_BITS:
        raise ValueError(f"an RSA key needs at least {SHORTEST_RSA_BITS} bits, this one has {key.key_size}.")


class ListField(forms.CharField):
    """Several values in one text, cleaned to a list without doubles."""

    separator = ", "
    split = re.compile(r"[\s,;]+")

    def prepare_value(self, value: Any) -> Any:
        return self.separator.join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        text = str(super().clean(value) or "")
        values = list(dict.fromkeys(part.strip() for part in self.split.split(text) if part.strip()))
        errors = [ValidationError(message) for message in self.problems(values)]
        if errors:
            raise ValidationError(errors)
        return values

    def problems(self, values: list[str]) -> Iterable[str]:
        return ()


class SSHKeysField(ListField):
    """OpenSSH public keys, one per line."""

    separator = "\n"
    split = re.compile(r"[\r\n]+")
    widget = forms.Textarea

    def problems(self, values: list[str]) -> Iterable[str]:
        if any(PRIVATE_KEY in value for value in values):
            return [PRIVATE_KEY_REFUSED]
        return [f"Line {number}: {reason}" for number, reason in _reasons(values)]


def _reasons(lines: list[str]) -> Iterable[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        try:
            check_ssh_key(line)
        except ValueError as error:
            yield number, str(error)


class HostsField(ListField):
    """Host names or IP addresses, separated by commas, spaces or lines."""

    def problems(self, values: list[str]) -> Iterable[str]:
        wrong = [value for value in values if not (is_ip_address(value) or is_host_name(value))]
        return [f"“{value}” is neither a host name nor an IP address." for value in wrong]


class AddressesField(ListField):
    def problems(self, values: list[str]) -> Iterable[str]:
        return [f"“{value}” is not an IP address." for value in values if not is_ip_address(value)]


class DomainsField(ListField):
    def problems(self, values: list[str]) -> Iterable[str]:
        return [f"“{value}” is not a domain name." for value in values if not is_host_name(value)]
