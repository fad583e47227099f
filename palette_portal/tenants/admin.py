from django.contrib import admin
from django.http import HttpRequest

from palette_portal.tenants.models import AuditRow, Membership, Project, Tenant, User


class ReadOnly:
    """Support looks; changes go through actions, which keep vCenter and the rows together."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "slug", "created_at")


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "tenant", "created_at")
    list_filter = ("tenant",)


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0


@admin.register(User)
class UserAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("email", "full_name", "tenant", "is_active", "last_login")
    list_filter = ("tenant", "is_active")
    search_fields = ("email", "full_name")
    exclude = ("password", "groups", "user_permissions")
    inlines = (MembershipInline,)


@admin.register(AuditRow)
class AuditRowAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """To read only, even for those who run the portal."""

    list_display = ("at", "tenant", "user", "action", "object_name")
    list_filter = ("tenant", "action")

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: AuditRow | None = None) -> bool:
        return False

    def has_delete_permission(self, request: object, obj: AuditRow | None = None) -> bool:
        return False
