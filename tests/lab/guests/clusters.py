"""The Kubernetes clusters that the nodes make up: who is in, who may come, and whether the API answers.

It answers while more than half of the members of etcd are on, so a control plane machine that is removed and
still counted as a member is missed as in real life.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Cluster:
    nodes: set[str] = field(default_factory=set)
    # Control plane nodes, and whether they are on.
    members: dict[str, bool] = field(default_factory=dict)
    # Empty when nothing is known of tokens: any is taken.
    tokens: set[str] = field(default_factory=set)
    version: str = ""
    manifests: list[str] = field(default_factory=list)

    @property
    def answers(self) -> bool:
        return 2 * sum(self.members.values()) > len(self.members)


class Clusters:
    """By the address of their API. `pods` is a file with the lines of what pods ask for, if there are any."""

    def __init__(self, pods: Path | None = None) -> None:
        self._pods = pods
        self._clusters: dict[str, Cluster] = {}
        self._undrainable: set[str] = set()
        self._changed = threading.Condition()

    def begin(self, endpoint: str, node: str, *, token: str, version: str) -> None:
        """A new cluster; one that had the address before is forgotten."""
        with self._changed:
            tokens = {token} if token else set()
            self._clusters[endpoint] = Cluster({node}, {node: True}, tokens, version)
            self._changed.notify_all()

    def join(self, endpoint: str, node: str, *, token: str, is_master: bool) -> bool:
        """False when the cluster does not know the token."""
        with self._changed:
            cluster = self._clusters.setdefault(endpoint, Cluster())
            if cluster.tokens and token not in cluster.tokens:
                return False
            self._enter(cluster, node, is_master)
            return True

    def resume(self, endpoint: str, node: str, *, is_master: bool, version: str) -> None:
        """A node that was in the cluster is on again, or the player is, which then asks what it had."""
        with self._changed:
            cluster = self._clusters.setdefault(endpoint, Cluster())
            cluster.version = cluster.version or version
            self._enter(cluster, node, is_master)

    def switched_off(self, node: str) -> None:
        with self._changed:
            for cluster in self._clusters.values():
                if node in cluster.members:
                    cluster.members[node] = False
            self._changed.notify_all()

    def never_drains(self, node: str) -> None:
        self._undrainable.add(node)

    def is_drainable(self, node: str) -> bool:
        return node not in self._undrainable

    def remove(self, endpoint: str, node: str) -> None:
        with self._changed:
            cluster = self._clusters[endpoint]
            cluster.nodes.discard(node)
            cluster.members.pop(node, None)
            self._changed.notify_all()

    def load(self, endpoint: str) -> str:
        """As palette-load tells it; every node has the room of 4 CPU and 8 GB less what a system takes."""
        nodes = [f"node\t{name}\t3800m\t7400Mi" for name in sorted(self.of(endpoint).nodes)]
        pods = self._pods.read_text().splitlines() if self._pods and self._pods.exists() else []
        return "\n".join([*nodes, *(line for line in pods if line)])

    def of(self, endpoint: str) -> Cluster:
        return self._clusters.setdefault(endpoint, Cluster())

    def wait_for_api(self, endpoint: str, *, seconds: float, stopped: Callable[[], bool]) -> bool:
        def answers() -> bool:
            return endpoint in self._clusters and self._clusters[endpoint].answers

        with self._changed:
            self._changed.wait_for(lambda: answers() or stopped(), timeout=seconds)
            return answers()

    def _enter(self, cluster: Cluster, node: str, is_master: bool) -> None:
        cluster.nodes.add(node)
        if is_master:
            cluster.members[node] = True
        self._changed.notify_all()
