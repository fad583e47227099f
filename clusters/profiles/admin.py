from django.contrib import admin

from clusters.profiles.models import ClusterProfile
from palette_portal.tenants.admin import ReadOnly


@admin.register(ClusterProfile)
class ClusterProfileAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "tenant", "project", "type", "created_at"]
    list_filter = ["type"]
    search_fields = ["name", "id"]
