import threading
from collections.abc import Mapping
from io import BufferedIOBase

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe
from servestatic.responders import Response, StaticFile

from gateways.installer_file import CONTENT_TYPE, file_problem, installer_file

_HEADERS = (("Content-Type", CONTENT_TYPE), ("Accept-Ranges", "bytes"), ("Cache-Control", "no-cache"))
# A download holds a thread until its slow reader is done; the pages need the others (see asgi.py).
_PLACES = threading.BoundedSemaphore(4)


@require_safe
def installer_download(request: HttpRequest) -> HttpResponseBase:
    """For everybody: vSphere fetches it without a login, in pieces if it likes. Nothing secret is in it."""
    problem = file_problem()
    if problem:
        return _sentence(problem, status=404)
    file = StaticFile(str(installer_file()), list(_HEADERS))  # it adds its own to the list
    return _send(file.get_response(request.method, _conditions(request.META, file.etag)))


def _send(answer: Response) -> HttpResponseBase:
    response: HttpResponseBase = HttpResponse()
    if answer.file is not None:
        if not _PLACES.acquire(blocking=False):
            answer.file.close()
            return _sentence("Too many downloads at once; try again in a minute.", status=503)
        response = _LargeFile(_Placed(answer.file))
    response.status_code = int(answer.status)
    for name, value in answer.headers:
        response[name] = value
    return response


class _LargeFile(FileResponse):
    block_size = 256 * 1024


class _Placed:
    """A file as FileResponse reads it; the response closes it exactly once, also when the reader leaves."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file
        self.read = file.read

    def close(self) -> None:
        self._file.close()
        _PLACES.release()


def _sentence(text: str, *, status: int) -> HttpResponse:
    response = HttpResponse(f"{text}\n", status=status, content_type="text/plain; charset=utf-8")
    if status == 503:
        response["Retry-After"] = "60"
    return response


def _conditions(headers: Mapping[str, str], etag: str) -> dict[str, str]:
    """Whoever goes on with a download of an older file gets the new one from its start."""
    names = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE")
    known = {name: headers[name] for name in names if name in headers}
    if headers.get("HTTP_IF_RANGE", etag) == etag and "HTTP_RANGE" in headers:
        known["HTTP_RANGE"] = headers["HTTP_RANGE"]
    return known
