"""A node's reports to the portal: queued, sent oldest first, kept while the portal cannot be reached."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from tests.lab.guests.documents import ReportTarget

UNWANTED = {400, 401, 404, 409, 410, 422}
RETRY_SECONDS = (1.0, 2.0)


class Reporter:
    """`pause` waits and returns True when the guest has been switched off."""

    def __init__(
        self, target: ReportTarget, pause: Callable[[float], bool], say: Callable[[str], None]
    ) -> None:
        self._target, self._pause, self._say = target, pause, say
        self._queue: list[dict[str, Any]] = []

    def report(self, phase: str, message: str = "", *, address: str, kubelet_version: str) -> None:
        document = {
            "phase": phase,
            "message": message[-2000:],
            "addresses": [address] if address else [],
            "kubelet_version": kubelet_version,
        }
        self._queue = [queued for queued in self._queue if queued["phase"] != "heartbeat"] + [document]
        while self._queue and self._delivered(self._queue[0]):
            self._queue.pop(0)

    def _delivered(self, document: dict[str, Any]) -> bool:
        for pause in (*RETRY_SECONDS, 0.0):
            status = self._send(document)
            if 200 <= status < 300:
                return True
            if status in UNWANTED:
                self._say(f"the portal does not want the report {document['phase']} (HTTP {status})")
                return True
            if self._pause(pause):
                return False
        self._say(f"the portal cannot be reached; the report {document['phase']} is kept")
        return False

    def _send(self, document: dict[str, Any]) -> int:
        """The HTTP status, 0 if nobody answers."""
        request = urllib.request.Request(
            self._target.url,
            data=json.dumps(document).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._target.token}"},
        )
        proxies = {"http": self._target.proxy, "https": self._target.proxy} if self._target.proxy else {}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
        try:
            with opener.open(request, timeout=10) as response:
                return int(response.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code
        except OSError:
            return 0
