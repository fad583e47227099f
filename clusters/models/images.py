import uuid

from django.db import models


class ImageImport(models.Model):
    """One image for one vCenter folder. The step that holds it imports; others wait for its end.

    The id is a mark on the virtual machine that is being made, so that a half-made one is found again.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    vcenter_server = models.CharField(max_length=255)
    datacenter_moid = models.CharField(max_length=64)
    folder = models.CharField(max_length=255)
    template = models.CharField(max_length=80)
    # None while nobody imports.
    step_id = models.UUIDField(null=True, blank=True)
    uploads = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["vcenter_server", "datacenter_moid", "folder", "template"],
                name="image_import_one_per_folder_and_template",
            ),
            models.CheckConstraint(
                condition=models.Q(uploads=False) | models.Q(step_id__isnull=False),
                name="image_import_uploads_for_a_step",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} in {self.folder}"

    @property
    def wake_reference(self) -> str:
        return f"image-import:{self.id}"
