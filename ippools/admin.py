from django.contrib import admin

from ippools.models import IPAddressClaim, IPPool


@admin.register(IPPool)
class IPPoolAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "tenant", "gateway", "network_type", "start", "end", "subnet", "reserved_for"]
    search_fields = ["name", "id"]


@admin.register(IPAddressClaim)
class IPAddressClaimAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["address", "pool", "owner_kind", "owner_name", "purpose", "claimed_at", "released_at"]
    search_fields = ["address", "owner_name", "owner_id"]
