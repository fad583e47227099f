from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from palette_portal.tenants import audit
from palette_portal.tenants.models import AuditRow, Membership, Project, Tenant, User


class ReadOnly:
    """Support looks; changes go through actions, which keep vCenter and the rows together."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class AuditedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What operators change for a tenant stands in the tenant's audit log, too."""

    # Deleting many at once has no transaction of its own.
    actions = None

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        _record(request, obj, "create")
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        _record(request, obj, "change")
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            _record(request, obj, "delete")
        return super().log_deletions(request, queryset)


def _record(request: HttpRequest, obj: Tenant | Project | User, action: str) -> None:
    """Nothing for operators, who belong to no tenant."""
    tenant = obj if isinstance(obj, Tenant) else obj.tenant
    if tenant is None:
        return
    assert isinstance(request.user, User)
    kind = type(obj).__name__.lower()
    audit.record(
        by=request.user, action=action, obj_kind=kind, obj_id=obj.pk, obj_name=str(obj), tenant=tenant
    )


@admin.register(Tenant)
class TenantAdmin(AuditedAdmin):
    list_display = ("name", "slug", "created_at")

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Its audit log stays, and so does the tenant."""
        return False


@admin.register(Project)
class ProjectAdmin(AuditedAdmin):
    list_display = ("name", "tenant", "created_at")
    list_filter = ("tenant",)


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0


@admin.register(User)
class UserAdmin(AuditedAdmin):
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
