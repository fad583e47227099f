"""What a control plane node is asked to do, in the form that its shell script reads.

A line is NAME=VALUE. Values that come from people are base64, so nothing in them is ever read as shell.
"""

import base64
import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from palette_portal.bootstrap.errors import BootstrapError
from palette_portal.bootstrap.secret import Secret
from palette_portal.bootstrap.text import dump_documents

JOIN_TOKEN_LIFE = timedelta(hours=24)

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_VERSION = re.compile(r"v?(\d+\.\d+\.\d+)")
_TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_TAINT_EFFECT = re.compile(r"NoSchedule|PreferNoSchedule|NoExecute")

Arguments = Mapping[str, Any]
Line = tuple[str, str]


def check_instruction(kind: str, arguments: Arguments) -> None:
    """Raise BootstrapError when a node could not use it."""
    list(_lines(kind, arguments, datetime.now(UTC)))


def instruction_text(
    instruction: UUID, kind: str, arguments: Arguments, *, now: datetime | None = None
) -> str:
    lines = [f"id={instruction}", f"kind={kind}"]
    lines += [
        f"{name}={base64.b64encode(value.encode()).decode()}"
        for name, value in _lines(kind, arguments, now or datetime.now(UTC))
    ]
    return "\n".join(lines) + "\n"


def join_token_manifest(token: Secret, *, now: datetime) -> str:
    """What `kubeadm token create` makes; applied twice it is the same."""
    identity, secret = _matched(_TOKEN, token.reveal(), "The join token").groups()
    return dump_documents(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "bootstrap.kubernetes.io/token",
            "metadata": {"name": f"bootstrap-token-{identity}", "namespace": "kube-system"},
            "stringData": {
                "token-id": identity,
                "token-secret": secret,
                "expiration": (now + JOIN_TOKEN_LIFE).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "usage-bootstrap-authentication": "true",
                "usage-bootstrap-signing": "true",
                "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
            },
        }
    )


def _lines(kind: str, arguments: Arguments, now: datetime) -> Iterator[Line]:
    match kind:
        case "remove-node":
            return _remove_node(arguments)
        case "create-join-token":
            return _create_join_token(arguments, now)
        case "set-kubernetes-version":
            return _set_kubernetes_version(arguments)
        case "apply-manifests":
            return _apply_manifests(arguments["manifests"])
        case "change-node":
            return _change_node(arguments)
    raise BootstrapError(f"Nodes know no instruction {kind!r}.")


def _remove_node(arguments: Arguments) -> Iterator[Line]:
    """With its address, an etcd member is found that never said its name."""
    yield "name", _plain(_NAME, arguments["name"], "The node's name")
    if address := arguments.get("address"):
        yield "peer", f"https://{_url_host(address)}:2380"


def _create_join_token(arguments: Arguments, now: datetime) -> Iterator[Line]:
    yield "manifest", join_token_manifest(Secret(arguments["token"]), now=now)


def _set_kubernetes_version(arguments: Arguments) -> Iterator[Line]:
    """First for kubeadm, and with `addons` for what runs on all nodes, when the control plane has it."""
    version = _matched(_VERSION, arguments["version"], "The Kubernetes version")
    yield "version", f"v{version[1]}"
    if arguments.get("addons"):
        yield "addons", "yes"


def _apply_manifests(manifests: Sequence[Mapping[str, str]]) -> Iterator[Line]:
    """In their order. One with `fetch`, a configuration of curl, is fetched first."""
    for manifest in manifests:
        _plain(_NAME, manifest["name"], "The manifest's name")
        if "fetch" in manifest:
            yield "fetched-manifest", manifest["fetch"]
        else:
            yield "manifest", manifest["content"]


def _change_node(arguments: Arguments) -> Iterator[Line]:
    """A label whose value is None is taken away; `removed_taints` need no value."""
    yield "name", _plain(_NAME, arguments["name"], "The node's name")
    for key, value in arguments.get("labels", {}).items():
        yield "label", _label(key, value)
    for taint in arguments.get("removed_taints", ()):
        yield "removed-taint", f"{_key(taint['key'])}:{_effect(taint)}-"
    for taint in arguments.get("taints", ()):
        value = _plain(_LABEL_VALUE, taint.get("value", ""), "A taint's value")
        yield "taint", f"{_key(taint['key'])}={value}:{_effect(taint)}"


def _label(key: str, value: str | None) -> str:
    if value is None:
        return f"{_key(key)}-"
    return f"{_key(key)}=" + _plain(_LABEL_VALUE, value, "A label's value")


def _key(text: str) -> str:
    return _plain(_LABEL_KEY, text, "The key of a label or taint")


def _effect(taint: Mapping[str, str]) -> str:
    return _plain(_TAINT_EFFECT, taint["effect"], "The taint's effect")


def _url_host(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError as error:
        raise BootstrapError(f"The node's address cannot be used: {error}.") from None
    return f"[{found}]" if found.version == 6 else str(found)


def _plain(pattern: re.Pattern[str], text: str, what: str) -> str:
    return _matched(pattern, text, what)[0]


def _matched(pattern: re.Pattern[str], text: str, what: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise BootstrapError(f"{what} has a form that a node cannot use.")
    return found
