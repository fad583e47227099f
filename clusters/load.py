"""What a control plane node tells of the cluster's load, from its lines of text to numbers.

The lines are made by palette_portal/bootstrap/guest_files/palette-load; fields are separated by tabs:
  node  NAME  CPU  MEMORY                                    (what pods may use of it)
  pod   NAME  NODE  REASON  OWNER  CPU,MEMORY  CPU,MEMORY …   (what each container asks for)
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|[kMGTPE]|[KMGTPE]i|)")
_FACTORS = {"": 1.0, "m": 0.001} | {
    unit: 1000.0**power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), start=1)
}
_FACTORS |= {f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", start=1)}
MIB = 1024**2
UNSCHEDULABLE = "Unschedulable"
IDLE_PART = 0.5
# They come with every node, so they neither need a new one nor hold an idle one.
OF_EVERY_NODE = ("DaemonSet", "Node")


class UnreadableLoad(ValueError):
    """The text is not what our own script sends."""


@dataclass(frozen=True)
class Need:
    """What pods ask for, or a node has: thousandths of a CPU, and MiB."""

    cpu_milli: int = 0
    memory_mib: int = 0

    def __add__(self, other: "Need") -> "Need":
        return Need(self.cpu_milli + other.cpu_milli, self.memory_mib + other.memory_mib)

    def __sub__(self, other: "Need") -> "Need":
        return Need(self.cpu_milli - other.cpu_milli, self.memory_mib - other.memory_mib)

    def fits_into(self, room: "Need") -> bool:
        return self.cpu_milli <= room.cpu_milli and self.memory_mib <= room.memory_mib


@dataclass(frozen=True)
class PodLoad:
    name: str
    need: Need
    moves: bool = True


@dataclass(frozen=True)
class NodeLoad:
    name: str
    allocatable: Need
    pods: tuple[PodLoad, ...] = ()

    @property
    def requested(self) -> Need:
        return sum((pod.need for pod in self.pods), Need())

    @property
    def used_part(self) -> float:
        """The larger part of CPU and memory that pods of its own ask for."""
        moving = sum((pod.need for pod in self.pods if pod.moves), Need())
        return max(
            moving.cpu_milli / max(self.allocatable.cpu_milli, 1),
            moving.memory_mib / max(self.allocatable.memory_mib, 1),
        )

    @property
    def is_idle(self) -> bool:
        return self.used_part < IDLE_PART


@dataclass(frozen=True)
class Load:
    nodes: tuple[NodeLoad, ...] = ()
    pending: tuple[PodLoad, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, nodes: Iterable[Any], pending: Iterable[Any]) -> "Load":
        return cls(tuple(map(_node, nodes)), tuple(map(_pod, pending)))


def parse_load(text: str) -> Load:
    """Raise UnreadableLoad when a line is not one of ours."""
    nodes: dict[str, Need] = {}
    pods: list[tuple[str, PodLoad]] = []
    pending: list[PodLoad] = []
    for number, line in enumerate(text.splitlines(), start=1):
        kind, *fields = line.split("\t")
        try:
            if kind == "node":
                name, cpu, memory = fields
                nodes[name] = _need(cpu, memory)
            elif kind == "pod":
                _sort_in(fields, pods, pending)
            else:
                raise ValueError(kind)
        except ValueError as error:
            raise UnreadableLoad(f"Line {number} of the load cannot be read.") from error
    return Load(tuple(_nodes(nodes, pods)), tuple(pending))


def _sort_in(fields: list[str], pods: list[tuple[str, PodLoad]], pending: list[PodLoad]) -> None:
    name, node, reason, owner, *containers = fields
    need = sum((_asked(container) for container in containers if container), Need())
    pod = PodLoad(name, need, moves=owner not in OF_EVERY_NODE)
    if node:
        pods.append((node, pod))
    elif reason == UNSCHEDULABLE and pod.moves:
        pending.append(pod)


def _nodes(nodes: dict[str, Need], pods: list[tuple[str, PodLoad]]) -> Iterator[NodeLoad]:
    for name, allocatable in nodes.items():
        yield NodeLoad(name, allocatable, tuple(pod for node, pod in pods if node == name))


def _asked(container: str) -> Need:
    cpu, memory = container.split(",")
    return _need(cpu, memory)


def _need(cpu: str, memory: str) -> Need:
    return Need(round(quantity(cpu) * 1000), -(-round(quantity(memory)) // MIB))


def quantity(text: str) -> float:
    """A Kubernetes quantity such as 250m, 1.5 or 128Mi; empty is 0. Raise ValueError for anything else."""
    if not text:
        return 0.0
    matched = _QUANTITY.fullmatch(text)
    if matched is None:
        raise ValueError(text)
    return float(matched[1]) * _FACTORS[matched[2]]


def _node(value: Any) -> NodeLoad:
    return NodeLoad(value["name"], Need(**value["allocatable"]), tuple(map(_pod, value["pods"])))


def _pod(value: Any) -> PodLoad:
    return PodLoad(value["name"], Need(**value["need"]), value["moves"])
