from clusters.models.clusters import (
    AddressAllocation,
    Cluster,
    ClusterAddOn,
    ClusterLayer,
    ClusterLoad,
    ClusterPurpose,
    ClusterQuerySet,
    ClusterSecrets,
    Leftover,
    LeftoverKind,
)
from clusters.models.images import ImageImport
from clusters.models.instructions import InstructionKind, InstructionState, NodeInstruction
from clusters.models.machines import (
    MASTER_SIZES,
    Machine,
    MachinePool,
    Placement,
    PoolRole,
    RollingUpdate,
)
from clusters.models.pages import DeployDraft, SavedView

__all__ = [
    "MASTER_SIZES",
    "AddressAllocation",
    "Cluster",
    "ClusterAddOn",
    "ClusterLayer",
    "ClusterLoad",
    "ClusterPurpose",
    "ClusterQuerySet",
    "ClusterSecrets",
    "DeployDraft",
    "ImageImport",
    "InstructionKind",
    "InstructionState",
    "Leftover",
    "LeftoverKind",
    "Machine",
    "MachinePool",
    "NodeInstruction",
    "Placement",
    "PoolRole",
    "RollingUpdate",
    "SavedView",
]
