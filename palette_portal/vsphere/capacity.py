from collections.abc import Iterable
from dataclasses import dataclass

from palette_portal.vsphere.properties import Properties, Traversal, collect
from palette_portal.vsphere.session import VCenter

BYTES_PER_MIB = 1024 * 1024

HOST_PATHS = (
    "runtime.connectionState",
    "runtime.inMaintenanceMode",
    "summary.hardware.cpuMhz",
    "summary.hardware.numCpuCores",
    "summary.hardware.memorySize",
    "summary.quickStats.overallCpuUsage",
    "summary.quickStats.overallMemoryUsage",
)


@dataclass(frozen=True)
class Capacity:
    """Of the hosts that can run machines now: connected and not in maintenance mode."""

    hosts: int
    cpu_cores: int
    cpu_mhz: int
    free_cpu_mhz: int
    memory_mib: int
    free_memory_mib: int


def read_capacity(vcenter: VCenter, compute_cluster_moid: str) -> Capacity:
    cluster = vcenter.managed("ClusterComputeResource", compute_cluster_moid)
    found = collect(
        vcenter,
        [cluster],
        {"HostSystem": HOST_PATHS},
        [Traversal("ComputeResource", "host")],
    )
    return capacity_of(found)


def capacity_of(hosts: Iterable[Properties]) -> Capacity:
    """Of hosts that were read with `HOST_PATHS`."""
    return _sum([host for host in hosts if _is_usable(host)])


def _is_usable(host: Properties) -> bool:
    connected = host.get("runtime.connectionState", "connected") == "connected"
    return connected and not host.get("runtime.inMaintenanceMode", False)


def _sum(hosts: list[Properties]) -> Capacity:
    cpu_mhz = sum(_cores(host) * host.get("summary.hardware.cpuMhz", 0) for host in hosts)
    memory_mib = _total(hosts, "summary.hardware.memorySize") // BYTES_PER_MIB
    return Capacity(
        hosts=len(hosts),
        cpu_cores=sum(_cores(host) for host in hosts),
        cpu_mhz=cpu_mhz,
        free_cpu_mhz=max(0, cpu_mhz - _total(hosts, "summary.quickStats.overallCpuUsage")),
        memory_mib=memory_mib,
        free_memory_mib=max(0, memory_mib - _total(hosts, "summary.quickStats.overallMemoryUsage")),
    )


def _cores(host: Properties) -> int:
    return int(host.get("summary.hardware.numCpuCores", 0))


def _total(hosts: Iterable[Properties], path: str) -> int:
    return sum(host.get(path, 0) for host in hosts)
