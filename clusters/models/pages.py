import uuid
from typing import Any

from django.db import models
from django.utils import timezone

from clusters.models.clusters import Cluster
from clusters.profiles.models import ProfileVersion
from palette_portal.encryption import EncryptedTextField
from palette_portal.tenants.models import Project, Tenant, User


def _no_pages() -> dict[str, Any]:
    return {}


class DeployDraft(models.Model):
    """What the deploy wizard knows so far of a cluster that does not exist yet."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="deploy_drafts")
    profile_version = models.ForeignKey(
        ProfileVersion, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    # One key per wizard page: {"values": plain JSON, "open": why it is not complete, or empty}.
    pages = models.JSONField(default=_no_pages)
    # JSON: what was given for the profile's variables; masked ones are among them.
    variables = EncryptedTextField(blank=True)
    # What was deployed from it: however often the button is pressed, one cluster.
    cluster = models.OneToOneField(
        Cluster, null=True, blank=True, on_delete=models.CASCADE, related_name="deploy_draft"
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-updated_at"]

    def __str__(self) -> str:
        return f"draft of {self.created_by}"


class SavedView(models.Model):
    """A search with filters and order that a person gave a name."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=63)
    query = models.CharField(max_length=1000)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["user", "tenant", "name"], name="saved_view_name_unique")
        ]

    def __str__(self) -> str:
        return self.name
