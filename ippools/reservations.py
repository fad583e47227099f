"""How many addresses a cluster needs, before it is deployed: pure arithmetic.

A master pool needs its nodes, the virtual IP of the Kubernetes API and one extra for the node that joins
before another leaves. A worker pool needs its nodes (the most that its autoscaler may make) and as many extra
as it adds before it removes old ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Reservation:
    nodes: int = 0
    virtual: int = 0
    spare: int = 0

    def __add__(self, other: "Reservation") -> "Reservation":
        return Reservation(self.nodes + other.nodes, self.virtual + other.virtual, self.spare + other.spare)

    @property
    def total(self) -> int:
        return self.nodes + self.virtual + self.spare

    def __str__(self) -> str:
        parts = [f"{self.nodes} for nodes"]
        parts += [f"{self.virtual} for the virtual IP"] if self.virtual else []
        parts += [f"{self.spare} extra"] if self.spare else []
        return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def control_plane(nodes: int) -> Reservation:
    return Reservation(nodes, virtual=1, spare=1)


def worker_pool(nodes: int, *, autoscaler_maximum: int = 0, surge: int = 1) -> Reservation:
    return Reservation(max(nodes, autoscaler_maximum), spare=surge)


def node_pool(size: int, *, is_master: bool, maximum: int | None, surge: int) -> Reservation:
    """Of either kind; `maximum` is the autoscaler's, if the pool has one."""
    return (
        control_plane(size) if is_master else worker_pool(size, autoscaler_maximum=maximum or 0, surge=surge)
    )


def whole_cluster(pools: Iterable[Reservation]) -> Reservation:
    return sum(pools, start=Reservation())
