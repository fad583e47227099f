from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "palette_portal.tenants"
    label = "tenants"
