"""Instance types: what a node pool's machines can be, as presets, and their own words."""

from dataclasses import dataclass

CUSTOM = "custom"
MIB_PER_GB = 1024


@dataclass(frozen=True)
class InstanceType:
    key: str
    title: str
    num_cpus: int
    memory_gb: int

    @property
    def words(self) -> str:
        return f"{self.num_cpus} CPU, {self.memory_gb} GB"


INSTANCE_TYPES = (
    InstanceType("small", "Small", 2, 4),
    InstanceType("medium", "Medium", 4, 8),
    InstanceType("large", "Large", 8, 16),
    InstanceType("x-large", "X-Large", 16, 32),
)
DEFAULT_TYPE = "medium"
DEFAULT_DISK_GB = 60
SMALLEST_DISK_GB = 20
MOST_CPUS, MOST_MEMORY_GB, MOST_DISK_GB, MOST_NODES = 128, 4096, 16384, 500


def find_type(key: str) -> InstanceType | None:
    return next((preset for preset in INSTANCE_TYPES if preset.key == key), None)
