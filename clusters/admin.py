from django.contrib import admin

from clusters.models import Cluster, Machine
from palette_portal.tenants.admin import ReadOnly


@admin.register(Cluster)
class ClusterAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "tenant", "purpose", "state", "health", "kubernetes_version", "created_at"]
    list_filter = ["state", "health", "purpose"]
    search_fields = ["name", "id"]


@admin.register(Machine)
class MachineAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "cluster", "state", "ip_address", "phase", "moid", "last_report_at"]
    list_filter = ["state"]
    search_fields = ["name", "id", "moid", "bios_uuid"]
    exclude = ["report_token_hash"]
