from collections.abc import Mapping

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe
from servestatic.responders import StaticFile

from gateways.installer_file import CONTENT_TYPE, file_problem, installer_file

_HEADERS = (("Content-Type", CONTENT_TYPE), ("Accept-Ranges", "bytes"), ("Cache-Control", "no-cache"))


class _LargeFile(FileResponse):
    block_size = 256 * 1024


@require_safe
def installer_download(request: HttpRequest) -> HttpResponseBase:
    """For everybody: vSphere fetches it without a login, in pieces if it likes. Nothing secret is in it."""
    problem = file_problem()
    if problem:
        return HttpResponse(f"{problem}\n", status=404, content_type="text/plain; charset=utf-8")
    file = StaticFile(str(installer_file()), list(_HEADERS))  # it adds its own to the list
    answer = file.get_response(request.method, _conditions(request.META, file.etag))
    response: HttpResponseBase
    response = _LargeFile(answer.file) if answer.file else HttpResponse()
    response.status_code = int(answer.status)
    for name, value in answer.headers:
        response[name] = value
    return response


def _conditions(headers: Mapping[str, str], etag: str) -> dict[str, str]:
    """Whoever goes on with a download of an older file gets the new one from its start."""
    known = {
        name: headers[name] for name in ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE") if name in headers
    }
    if headers.get("HTTP_IF_RANGE", etag) == etag and "HTTP_RANGE" in headers:
        known["HTTP_RANGE"] = headers["HTTP_RANGE"]
    return known
