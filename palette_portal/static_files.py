"""Static files before Django's pages, without making pages wait for them."""

from collections.abc import Callable

from asgiref.sync import async_to_sync, sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_only_middleware
from servestatic.middleware import ServeStaticMiddleware

Answer = Callable[[HttpRequest], HttpResponseBase]


@sync_only_middleware
def static_files(get_response: Answer) -> Answer:
    """ServeStatic's middleware, which is asynchronous, for static files only.

    Around pages too, each of them would start an event loop and a thread, and change threads three times.
    """
    served = ServeStaticMiddleware(sync_to_async(get_response))
    serve: Answer = async_to_sync(served)

    def answer(request: HttpRequest) -> HttpResponseBase:
        return (serve if request.path_info.startswith(served.static_prefix) else get_response)(request)

    return answer
