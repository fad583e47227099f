"""One port: /streams/ is a plain ASGI application, everything else Django behind a small pool of threads.

Through Django's own ASGI handler every open stream would hold a thread and a database connection.
"""

import gc
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palette_portal.settings")
# a2wsgi's types spell the protocols out more narrowly than Django's do.
pages = cast(Any, WSGIMiddleware(cast(Any, get_wsgi_application()), workers=8))

# Django must be set up before the apps' modules are imported.
from clusters.deploy_live import DeployReviewChannel  # noqa: E402
from clusters.live import ClusterChannel, ClusterListChannel  # noqa: E402
from gateways.account_live import AccountChannel  # noqa: E402
from gateways.live import GatewayChannel  # noqa: E402
from gateways.report_live import ReportChannel  # noqa: E402
from ippools.live import PoolChannel  # noqa: E402
from palette_portal.orchestration.stream import LiveStreams  # noqa: E402

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

streams = LiveStreams(
    [
        ("streams/gateways/", GatewayChannel()),
        ("streams/accounts/", AccountChannel()),
        ("streams/ippools/", PoolChannel()),
        ("streams/clusters/", ClusterListChannel()),
        ("streams/clusters/<uuid:cluster_id>/", ClusterChannel()),
        ("streams/deploy/<uuid:draft_id>/<uuid:report_id>/", DeployReviewChannel()),
        ("streams/prerequisites/<uuid:report_id>/", ReportChannel()),
    ]
)

# What is loaded now stays for ever; otherwise every full collection walks it while all streams wait.
gc.collect()
gc.freeze()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _live_and_close(receive, send)
    elif streams.handles(scope):
        await streams(scope, receive, send)
    elif scope["type"] == "http":
        await pages(scope, receive, send)


async def _live_and_close(receive: Receive, send: Send) -> None:
    """The ASGI lifespan protocol: at its end no stream is left open."""
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await streams.close()
    await send({"type": "lifespan.shutdown.complete"})
