"""What a control plane node does when the portal asks, as palette-instructions and palette-load would."""

import base64
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from tests.lab.guests.clusters import Clusters
from tests.lab.guests.documents import ReportTarget

EVICTION_REFUSED = (
    "error when evicting pods: Cannot evict pod as it would violate the pod's disruption budget.\n"
    "error: unable to drain node: drain did not complete within 5m0s"
)
REQUEST_TIMED_OUT = "Error from server: etcdserver: request timed out"
NO_API = "The connection to the server was refused - did you specify the right host or port?"


@dataclass
class Instructions:
    """`pause` waits and returns True when the guest has been switched off; the first `failures` ones fail."""

    target: ReportTarget
    endpoint: str
    clusters: Clusters
    pause: Callable[[float], bool]
    say: Callable[[str], None]
    drain_seconds: float
    failures: int = 0

    def live(self, period: float) -> None:
        while not self.pause(period):
            while text := self._fetch():
                if not self._answer(*self._do(text)):
                    break
            self._tell_load()

    def _tell_load(self) -> None:
        """When the portal wants to know, for pools that scale themselves."""
        if self._call("load", None)[0] == 200:
            self._call("load", self.clusters.load(self.endpoint).encode(), kind="text/plain")

    def _fetch(self) -> str:
        status, text = self._call("instructions", None)
        return text if status == 200 else ""

    def _answer(self, identity: str, trouble: str) -> bool:
        form = {"state": "failed" if trouble else "done", "message": trouble}
        status, _ = self._call(f"instructions/{identity}", urllib.parse.urlencode(form).encode())
        return 200 <= status < 300

    def _do(self, text: str) -> tuple[str, str]:
        """The instruction's id, and what was wrong; "" when nothing was."""
        (_, identity), (_, kind), *rest = (line.split("=", 1) for line in text.splitlines())
        lines = [(name, base64.b64decode(value).decode()) for name, value in rest]
        self.say(f"is asked to {kind} {dict(lines).get('name', '')}".rstrip())
        if self.failures > 0:
            self.failures -= 1
            return identity, REQUEST_TIMED_OUT
        if not self.clusters.of(self.endpoint).answers:
            return identity, NO_API
        return identity, self._perform(kind, lines)

    def _perform(self, kind: str, lines: list[tuple[str, str]]) -> str:
        values, cluster = dict(lines), self.clusters.of(self.endpoint)
        match kind:
            case "remove-node":
                return self._remove(values["name"])
            case "create-join-token":
                data = yaml.safe_load(values["manifest"])["stringData"]
                cluster.tokens.add(f"{data['token-id']}.{data['token-secret']}")
            case "set-kubernetes-version" if "addons" not in values:
                cluster.version = values["version"]
            case "apply-manifests":
                cluster.manifests += [value for _, value in lines]
        return ""

    def _remove(self, node: str) -> str:
        self.pause(self.drain_seconds)
        if not self.clusters.is_drainable(node):
            return EVICTION_REFUSED
        self.clusters.remove(self.endpoint, node)
        return ""

    def _call(
        self, path: str, data: bytes | None, *, kind: str = "application/x-www-form-urlencoded"
    ) -> tuple[int, str]:
        """The HTTP status, 0 if nobody answers, and the text."""
        url = self.target.url.removesuffix("reports") + path
        headers = {"Authorization": f"Bearer {self.target.token}", "Content-Type": kind}
        request = urllib.request.Request(url, data=data, headers=headers)
        proxies = {"http": self.target.proxy, "https": self.target.proxy} if self.target.proxy else {}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
        try:
            with opener.open(request, timeout=10) as response:
                return int(response.status), response.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, ""
        except OSError:
            return 0, ""
