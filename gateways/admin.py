from django.contrib import admin

from gateways.models import CloudAccount, GatewayRelease, PrivateCloudGateway
from palette_portal.tenants.admin import ReadOnly


@admin.register(GatewayRelease)
class GatewayReleaseAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("version", "kubernetes_version", "image_template", "published_at")


@admin.register(PrivateCloudGateway)
class PrivateCloudGatewayAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("display_name", "tenant", "state", "installer_ip", "registered_at")
    list_filter = ("tenant", "state")
    exclude = ("http_proxy", "https_proxy", "installer_token_hash")


@admin.register(CloudAccount)
class CloudAccountAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "tenant", "vcenter_server", "username", "is_default")
    list_filter = ("tenant",)
    exclude = ("password",)
