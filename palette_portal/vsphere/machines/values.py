from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PowerState = Literal["poweredOn", "poweredOff", "suspended"]


@dataclass(frozen=True)
class Disk:
    key: int
    label: str
    capacity_kib: int
    file_name: str
    datastore_moid: str
    first_class_id: str


@dataclass(frozen=True)
class Nic:
    key: int
    label: str
    mac_address: str
    network_moid: str
    is_vmxnet3: bool


@dataclass(frozen=True)
class VirtualMachine:
    moid: str
    name: str
    instance_uuid: str
    bios_uuid: str
    power_state: PowerState
    connection_state: str
    num_cpus: int
    memory_mib: int
    annotation: str
    extra_config: Mapping[str, str] = field(repr=False)
    disk_uuid_enabled: bool
    disks: tuple[Disk, ...]
    nics: tuple[Nic, ...]
    ip_addresses: tuple[str, ...]
    tools_running: bool
    folder_moid: str
    host_moid: str
    host_name: str
    file_name: str
    is_template: bool

    @property
    def is_on(self) -> bool:
        return self.power_state == "poweredOn"


@dataclass(frozen=True)
class CloneSpec:
    """What a machine shall be. `disk_gib` only grows the template's first disk."""

    name: str
    instance_uuid: str
    folder_moid: str
    resource_pool_moid: str
    datastore_moid: str
    network_moids: tuple[str, ...]
    num_cpus: int
    memory_mib: int
    disk_gib: int
    annotation: str = ""
    extra_config: Mapping[str, str] = field(default_factory=dict, repr=False)
