"""What the installer VM calls: registration with a pairing code, then heartbeats with its own token.

Errors are {"code", "message"}; the installer's log shows the message to the person who reads it.
"""

import ipaddress
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from ninja import Field, Router, Schema, Status
from ninja.errors import HttpError
from ninja.security import HttpBearer
from ninja.throttling import AnonRateThrottle
from pydantic import IPvAnyAddress, IPvAnyNetwork, field_validator, model_validator

from gateways.actions.pairing import (
    Registration,
    RegistrationRefused,
    find_installer,
    record_heartbeat,
    register_installer,
)
from gateways.installer.rules import decode_certificate
from gateways.models import PrivateCloudGateway

router = Router(tags=["installer"])

_STATUS = {"InvalidPairingCode": 404, "PairingCodeUsed": 410, "PairingCodeExpired": 410}


class Proxy(Schema):
    """Nodes get it, so it holds nothing that ends a quoted text there."""

    http_proxy: str = Field(max_length=1024, pattern=r"^https?://[!#-\[\]-~]+$")
    https_proxy: str = Field(max_length=1024, pattern=r"^https?://[!#-\[\]-~]+$")
    no_proxy: str = Field(max_length=4096, pattern=r"^[ !#-\[\]-~]+$")
    certificate: str = Field("", max_length=65536)

    @field_validator("certificate")
    @classmethod
    def _is_certificate(cls, value: str) -> str:
        if value:
            decode_certificate(value)
        return value


class RegistrationIn(Schema):
    pairing_code: str = Field(min_length=1, max_length=40)
    name: str = Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([A-Za-z0-9 ._-]*[A-Za-z0-9])?$")
    ip_address: IPvAnyAddress
    version: str = Field("", max_length=32)
    instance_uuid: UUID | None = None
    pod_cidr: IPvAnyNetwork | None = None
    service_cidr: IPvAnyNetwork | None = None
    proxy: Proxy | None = None

    @model_validator(mode="after")
    def _networks_are_apart(self) -> "RegistrationIn":
        pods, services = self.pod_cidr, self.service_cidr
        if pods and services and pods.version == services.version and pods.overlaps(services):
            raise ValueError("Pod CIDR and Service cluster IP range overlap.")
        return self

    def registration(self) -> Registration:
        proxy = self.proxy
        return Registration(
            pairing_code=self.pairing_code,
            name=self.name,
            ip_address=str(ipaddress.ip_address(str(self.ip_address))),
            version=self.version,
            instance_uuid=self.instance_uuid,
            pod_cidr=str(self.pod_cidr or ""),
            service_cidr=str(self.service_cidr or ""),
            http_proxy=proxy.http_proxy if proxy else "",
            https_proxy=proxy.https_proxy if proxy else "",
            no_proxy=proxy.no_proxy if proxy else "",
            proxy_certificate=proxy.certificate if proxy else "",
        )


class RegistrationOut(Schema):
    gateway_uid: UUID
    token: str
    heartbeat_seconds: int


class HeartbeatIn(Schema):
    ip_address: IPvAnyAddress
    version: str = Field("", max_length=32)


class HeartbeatOut(Schema):
    state: str
    heartbeat_seconds: int


class ErrorOut(Schema):
    code: str
    message: str


class InstallerToken(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> PrivateCloudGateway | None:
        match = request.resolver_match
        return find_installer(match.kwargs["uid"], token) if match else None


@router.post(
    "/{uid}/register",
    response={201: RegistrationOut, (404, 410): ErrorOut},
    throttle=[AnonRateThrottle("10/m")],
    url_name="pcg-register",
)
def register(request: HttpRequest, uid: str, payload: RegistrationIn) -> Status[Schema]:
    """The code finds the gateway; `uid` is "-" while the installer does not know it yet."""
    try:
        gateway, token = register_installer(payload.registration())
    except RegistrationRefused as refused:
        return Status(_STATUS[refused.code], ErrorOut(code=refused.code, message=refused.reason))
    answer = RegistrationOut(
        gateway_uid=gateway.id, token=token, heartbeat_seconds=settings.GATEWAY_HEARTBEAT_SECONDS
    )
    return Status(201, answer)


@router.post("/{uuid:uid}/heartbeat", response=HeartbeatOut, auth=InstallerToken(), url_name="pcg-heartbeat")
def heartbeat(request: HttpRequest, uid: UUID, payload: HeartbeatIn) -> HeartbeatOut:
    gateway = getattr(request, "auth", None)
    if not isinstance(gateway, PrivateCloudGateway):
        raise HttpError(401, "Unauthorized")
    record_heartbeat(gateway=gateway, ip_address=str(payload.ip_address), version=payload.version)
    return HeartbeatOut(state=gateway.state, heartbeat_seconds=settings.GATEWAY_HEARTBEAT_SECONDS)
