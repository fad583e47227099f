import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from clusters.models.clusters import Cluster
from clusters.models.machines import Machine
from palette_portal.encryption import EncryptedTextField


class InstructionKind(models.TextChoices):
    """What a control plane node is asked to do inside the cluster."""

    REMOVE_NODE = "remove-node", "Remove node"
    CREATE_JOIN_TOKEN = "create-join-token", "Create join token"
    SET_KUBERNETES_VERSION = "set-kubernetes-version", "Set Kubernetes version"
    APPLY_MANIFESTS = "apply-manifests", "Apply manifests"
    CHANGE_NODE = "change-node", "Change labels and taints"


class InstructionState(models.TextChoices):
    OPEN = "Open"
    GIVEN = "Given"
    DONE = "Done"
    FAILED = "Failed"
    WITHDRAWN = "Withdrawn"


class NodeInstructionQuerySet(models.QuerySet["NodeInstruction"]):
    def outstanding(self) -> "NodeInstructionQuerySet":
        return self.filter(state__in=[InstructionState.OPEN, InstructionState.GIVEN])


class NodeInstruction(models.Model):
    """A thing only the cluster itself can do: a control plane node fetches it, does it, and says so.

    The portal need not reach the Kubernetes API. Doing one twice changes nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="instructions")
    # The step that asks, so that a second attempt finds it.
    step_id = models.UUIDField()
    key = models.CharField(max_length=120)
    kind = models.CharField(max_length=32, choices=InstructionKind)
    # JSON; may hold tokens and manifests with credentials. Empty some time after the operation's end.
    arguments = EncryptedTextField()
    state = models.CharField(max_length=16, choices=InstructionState, default=InstructionState.OPEN)
    # Never given to this one: no node takes itself out of its cluster.
    avoid = models.ForeignKey(Machine, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # Who fetched it last, and until when no other node is given it.
    given_to = models.ForeignKey(Machine, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    given_until = models.DateTimeField(null=True, blank=True)
    message = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = NodeInstructionQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["step_id", "key"], name="instruction_once_per_step_and_key")
        ]
        indexes = [
            models.Index(
                fields=["cluster"],
                condition=Q(state__in=[InstructionState.OPEN, InstructionState.GIVEN]),
                name="instruction_outstanding",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.state})"

    @property
    def wake_reference(self) -> str:
        return f"instruction:{self.id}"
