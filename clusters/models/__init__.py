from clusters.models.clusters import (
    AddressAllocation,
    Cluster,
    ClusterLayer,
    ClusterPurpose,
    ClusterQuerySet,
    ClusterSecrets,
)
from clusters.models.instructions import InstructionKind, InstructionState, NodeInstruction
from clusters.models.machines import Machine, MachinePool, Placement, PoolRole, RollingUpdate

__all__ = [
    "AddressAllocation",
    "Cluster",
    "ClusterLayer",
    "ClusterPurpose",
    "ClusterQuerySet",
    "ClusterSecrets",
    "InstructionKind",
    "InstructionState",
    "Machine",
    "MachinePool",
    "NodeInstruction",
    "Placement",
    "PoolRole",
    "RollingUpdate",
]
