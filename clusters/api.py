"""What nodes call: reports of their progress, each with the token of its own machine.

Errors are {"code", "message"}. A node drops a report that is refused with 401, 404 or 422 and keeps one that
met 429 or 5xx.
"""

from http import HTTPStatus
from typing import Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status
from ninja.errors import HttpError
from ninja.security import HttpBearer
from ninja.throttling import AuthRateThrottle
from pydantic import IPvAnyAddress

from clusters.actions.reports import Report, record_report
from clusters.models import Machine
from clusters.states import MachineState
from clusters.tokens import is_token_of

router = Router(tags=["nodes"])

MAXIMUM_BYTES = 16 * 1024


class ReportIn(Schema):
    phase: Literal["booted", "control-plane-ready", "joined", "packs-applied", "ready", "failed", "heartbeat"]
    message: str = Field("", max_length=2000)
    addresses: list[IPvAnyAddress] = Field(default_factory=list, max_length=64)
    kubelet_version: str = Field("", max_length=32)

    def report(self) -> Report:
        return Report(
            phase=self.phase,
            message=self.message,
            addresses=tuple(str(address) for address in self.addresses),
            kubelet_version=self.kubelet_version,
        )


class ErrorOut(Schema):
    code: str
    message: str


class MachineToken(HttpBearer):
    """Holds for the one machine that the address names."""

    def authenticate(self, request: HttpRequest, token: str) -> Machine | None:
        if int(request.headers.get("Content-Length") or 0) > MAXIMUM_BYTES:
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "A report has at most 16 KiB.")
        match = request.resolver_match
        machine = Machine.objects.filter(pk=match.kwargs["machine_uuid"]).first() if match else None
        return machine if is_token_of(machine, token) else None


class MachineRateThrottle(AuthRateThrottle):
    def get_cache_key(self, request: HttpRequest) -> str:
        machine = _machine(request)
        return self.cache_format % {"scope": "machine-reports", "ident": machine.pk}


@router.post(
    "/{uuid:machine_uuid}/reports",
    response={204: None, 404: ErrorOut},
    auth=MachineToken(),
    throttle=[MachineRateThrottle("60/m")],
    url_name="machine-reports",
)
def report(request: HttpRequest, machine_uuid: UUID, payload: ReportIn) -> Status[ErrorOut | None]:
    machine = _machine(request)
    if machine.state == MachineState.DELETED:
        gone = f"{machine.name} is not part of a cluster any more."
        return Status(404, ErrorOut(code="MachineDeleted", message=gone))
    record_report(machine=machine, report=payload.report())
    return Status(204, None)


def _machine(request: HttpRequest) -> Machine:
    machine = getattr(request, "auth", None)
    if not isinstance(machine, Machine):
        raise HttpError(HTTPStatus.UNAUTHORIZED, "Unauthorized")
    return machine
