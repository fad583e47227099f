"""The portal's two calls for installers."""

from dataclasses import dataclass, field
from typing import Any

from gateways.installer.errors import (
    InstallerError,
    PortalTrouble,
    ProxyFailed,
    RequestRefused,
    TokenRefused,
    TooManyRequests,
    UnusableCode,
    WrongEndpoint,
    WrongPairingCode,
)
from gateways.installer.rules import InstallerProperties
from gateways.installer.transport import Answer, Transport

VERSION = "1.0.0"
DEFAULT_HEARTBEAT_SECONDS = 30
_UNUSABLE = {
    "PairingCodeExpired": "The pairing code has expired.",
    "PairingCodeUsed": "The pairing code was already used by another installer.",
}


@dataclass(frozen=True)
class Registration:
    gateway_uid: str
    token: str = field(repr=False)
    heartbeat_seconds: int


@dataclass(frozen=True)
class Heartbeat:
    state: str
    heartbeat_seconds: int


class Portal:
    def __init__(self, properties: InstallerProperties, *, ip_address: str = "") -> None:
        self._properties = properties
        self._ip_address = ip_address
        self._transport = Transport(properties)

    def register(self, *, instance_uuid: str, gateway_uid: str = "") -> Registration:
        body = _registration(self._properties) | self._identity() | {"instance_uuid": instance_uuid}
        answer = self._transport.post(f"/v1/pcg/{gateway_uid or '-'}/register", body)
        document = self._taken(answer)
        try:
            return Registration(str(document["gateway_uid"]), str(document["token"]), _interval(document))
        except KeyError:
            raise self._not_the_portal(answer) from None

    def heartbeat(self, *, gateway_uid: str, token: str) -> Heartbeat:
        answer = self._transport.post(f"/v1/pcg/{gateway_uid}/heartbeat", self._identity(), token)
        if answer.status in (401, 403) and answer.document is not None:
            raise TokenRefused("The portal does not accept this installer's token.")
        if answer.status == 404 and answer.document is not None:
            raise TokenRefused("The portal does not know this installer's gateway.")
        document = self._taken(answer)
        return Heartbeat(str(document.get("state", "")), _interval(document))

    def _identity(self) -> dict[str, str]:
        return {"ip_address": self._ip_address or self._transport.own_address(), "version": VERSION}

    def _taken(self, answer: Answer) -> dict[str, Any]:
        if answer.document is not None and 200 <= answer.status < 300:
            return answer.document
        raise self._refusal(answer)

    def _refusal(self, answer: Answer) -> InstallerError:
        code = (answer.document or {}).get("code", "")
        if code == "InvalidPairingCode":
            return WrongPairingCode("The portal does not know the pairing code.")
        if code in _UNUSABLE:
            return UnusableCode(_UNUSABLE[code])
        if answer.status == 407:
            return ProxyFailed("The proxy asks for another user name or password.")
        if answer.status == 429:
            return TooManyRequests("The portal asks for fewer attempts.", retry_after=answer.retry_after)
        if answer.status >= 500:
            return self._trouble(answer)
        if answer.status in (400, 422) and answer.document is not None:
            return RequestRefused(f"The portal refuses the installer's values: {_complaint(answer.document)}")
        return self._not_the_portal(answer)

    def _trouble(self, answer: Answer) -> InstallerError:
        if self._transport.proxy and answer.document is None:
            return ProxyFailed(f"The proxy could not get an answer from the portal (HTTP {answer.status}).")
        return PortalTrouble(
            f"The portal has a problem of its own (HTTP {answer.status}).", retry_after=answer.retry_after
        )

    def _not_the_portal(self, answer: Answer) -> WrongEndpoint:
        endpoint = self._properties.console_endpoint
        return WrongEndpoint(f"{endpoint} answers, but it is not the Palette portal (HTTP {answer.status}).")


def _registration(properties: InstallerProperties) -> dict[str, Any]:
    proxy = {
        "http_proxy": properties.http_proxy,
        "https_proxy": properties.https_proxy,
        "no_proxy": properties.no_proxy,
        "certificate": properties.certificate,
    }
    return {
        "pairing_code": properties.pairing_code,
        "name": properties.installer_name,
        "pod_cidr": properties.pod_cidr or None,
        "service_cidr": properties.service_cidr or None,
        "proxy": proxy if properties.http_proxy else None,
    }


def _interval(document: dict[str, Any]) -> int:
    try:
        return max(1, int(document.get("heartbeat_seconds", DEFAULT_HEARTBEAT_SECONDS)))
    except (TypeError, ValueError):
        return DEFAULT_HEARTBEAT_SECONDS


def _complaint(document: dict[str, Any]) -> str:
    """The portal's sentence; of a validation error only where and why, never the value."""
    if isinstance(document.get("message"), str):
        return str(document["message"])
    problems = document.get("detail")
    if not isinstance(problems, list):
        return "no reason given."
    return "; ".join(
        f"{'.'.join(str(part) for part in problem.get('loc', [])[2:])}: {problem.get('msg', '')}"
        for problem in problems
        if isinstance(problem, dict)
    )
