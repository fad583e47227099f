from django.contrib import admin
from django.http import HttpRequest

from clusters.models import Cluster, Machine


class ReadOnly:
    """Support looks; changes go through actions, which keep vCenter and the rows together."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


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
