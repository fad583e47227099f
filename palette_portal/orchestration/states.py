"""What operations, steps and events can be."""

from django.db import models


class OperationKind(models.TextChoices):
    PROVISION = "provision", "Provision"
    RESIZE = "resize", "Resize"
    SCALE = "scale", "Scale"
    REPLACE = "replace", "Replace node"
    UPDATE = "update", "Update"
    UPGRADE = "upgrade", "Upgrade"
    ROLL_BACK = "roll-back", "Roll back"
    ABORT = "abort", "Abort"
    RESET = "reset", "Reset"
    DELETE = "delete", "Delete"
    FORCE_DELETE = "force-delete", "Force delete"
    CLEAN_UP = "clean-up", "Clean up"
    CHECK = "check", "Check"


class OperationState(models.TextChoices):
    QUEUED = "Queued"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    CANCELLED = "Cancelled"


class StepState(models.TextChoices):
    PENDING = "Pending"
    READY = "Ready"
    RUNNING = "Running"
    WAITING = "Waiting"
    RETRYING = "Retrying"
    DONE = "Done"
    CANCELLED = "Cancelled"


class Severity(models.TextChoices):
    INFO = "Info"
    WARNING = "Warning"
    ERROR = "Error"


ACTIVE_OPERATION = (OperationState.QUEUED, OperationState.RUNNING)
# A step that begins when its time has come and a worker is free.
DUE_STEP = (StepState.READY, StepState.WAITING, StepState.RETRYING)
ENDED_STEP = (StepState.DONE, StepState.CANCELLED)
