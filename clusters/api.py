"""What nodes call, each with the token of its own machine: reports of their progress, and what to do.

Errors are {"code", "message"}. A node drops a report that is refused with 401, 404 or 422 and keeps one that
met 429 or 5xx. Instructions: palette_portal/bootstrap/README.md.
"""

from http import HTTPStatus
from typing import Literal
from uuid import UUID

from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from ninja import Field, Form, Router, Schema, Status
from ninja.errors import HttpError
from ninja.security import HttpBearer
from ninja.throttling import AuthRateThrottle
from pydantic import IPvAnyAddress

from clusters.actions.instructions import arguments_of, finish_instruction, next_instruction
from clusters.actions.load import record_load, wants_load
from clusters.actions.reports import Report, record_report
from clusters.load import UnreadableLoad, parse_load
from clusters.models import Machine, NodeInstruction
from clusters.states import MachineState
from clusters.tokens import is_token_of
from palette_portal.bootstrap.instructions import instruction_text

router = Router(tags=["nodes"])

MAXIMUM_BYTES = 16 * 1024
MAXIMUM_LOAD_BYTES = 2 * 1024**2


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


class AnswerIn(Schema):
    state: Literal["done", "failed"]
    message: str = Field("", max_length=4000)


class ErrorOut(Schema):
    code: str
    message: str


class MachineToken(HttpBearer):
    """Holds for the one machine that the address names."""

    def __init__(self, maximum_bytes: int = MAXIMUM_BYTES) -> None:
        super().__init__()
        self.maximum_bytes = maximum_bytes

    def authenticate(self, request: HttpRequest, token: str) -> Machine | None:
        if int(request.headers.get("Content-Length") or 0) > self.maximum_bytes:
            most = f"A report has at most {self.maximum_bytes // 1024} KiB."
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, most)
        match = request.resolver_match
        machine = Machine.objects.filter(pk=match.kwargs["machine_uuid"]).first() if match else None
        return machine if is_token_of(machine, token) else None


class MachineRateThrottle(AuthRateThrottle):
    cache = caches["process"]

    def __init__(self, rate: str, *, scope: str) -> None:
        super().__init__(rate)
        self.scope = scope

    def get_cache_key(self, request: HttpRequest) -> str:
        return self.cache_format % {"scope": self.scope, "ident": _machine(request).pk}


@router.post(
    "/{uuid:machine_uuid}/reports",
    response={204: None, 404: ErrorOut},
    auth=MachineToken(),
    throttle=[MachineRateThrottle("60/m", scope="machine-reports")],
    url_name="machine-reports",
)
def report(request: HttpRequest, machine_uuid: UUID, payload: ReportIn) -> Status[ErrorOut | None]:
    machine = _machine(request)
    if machine.state == MachineState.DELETED:
        gone = f"{machine.name} is not part of a cluster any more."
        return Status(404, ErrorOut(code="MachineDeleted", message=gone))
    record_report(machine=machine, report=payload.report())
    return Status(204, None)


@router.get(
    "/{uuid:machine_uuid}/instructions",
    response={200: str, 204: None},
    auth=MachineToken(),
    throttle=[MachineRateThrottle("300/m", scope="machine-instructions")],
    url_name="machine-instructions",
)
def instructions(request: HttpRequest, machine_uuid: UUID) -> HttpResponse:
    """The next one as lines of text, 204 when there is none: the node asks again until then."""
    instruction = next_instruction(_machine(request))
    if instruction is None:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    text = instruction_text(instruction.pk, instruction.kind, arguments_of(instruction))
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@router.post(
    "/{uuid:machine_uuid}/instructions/{uuid:instruction_id}",
    response={204: None, 404: ErrorOut},
    auth=MachineToken(),
    throttle=[MachineRateThrottle("300/m", scope="machine-answers")],
    url_name="machine-instruction-answer",
)
def instruction_answer(
    request: HttpRequest, machine_uuid: UUID, instruction_id: UUID, answer: Form[AnswerIn]
) -> Status[ErrorOut | None]:
    try:
        finish_instruction(
            machine=_machine(request),
            instruction_id=instruction_id,
            is_done=answer.state == "done",
            message=answer.message,
        )
    except NodeInstruction.DoesNotExist:
        unknown = "The node's cluster has no such instruction."
        return Status(404, ErrorOut(code="UnknownInstruction", message=unknown))
    return Status(204, None)


@router.get(
    "/{uuid:machine_uuid}/load",
    response={200: None, 204: None},
    auth=MachineToken(),
    throttle=[MachineRateThrottle("30/m", scope="machine-load-question")],
    url_name="machine-load",
)
def load_question(request: HttpRequest, machine_uuid: UUID) -> Status[None]:
    """200 when this node shall tell the cluster's load now."""
    return Status(200 if wants_load(_machine(request)) else 204, None)


@router.post(
    "/{uuid:machine_uuid}/load",
    response={204: None, 409: ErrorOut, 422: ErrorOut},
    auth=MachineToken(MAXIMUM_LOAD_BYTES),
    throttle=[MachineRateThrottle("30/m", scope="machine-load")],
)
def load(request: HttpRequest, machine_uuid: UUID) -> Status[ErrorOut | None]:
    machine = _machine(request)
    if not wants_load(machine):
        return Status(409, ErrorOut(code="NotWanted", message="Nobody waits for the cluster's load now."))
    try:
        record_load(machine=machine, load=parse_load(request.body.decode(errors="replace")))
    except UnreadableLoad as error:
        return Status(422, ErrorOut(code="UnreadableLoad", message=str(error)))
    return Status(204, None)


def _machine(request: HttpRequest) -> Machine:
    machine = getattr(request, "auth", None)
    if not isinstance(machine, Machine):
        raise HttpError(HTTPStatus.UNAUTHORIZED, "Unauthorized")
    return machine
