from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone


def make_system_gateways(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """What gateways.actions.system makes for a new tenant."""
    gateways = apps.get_model("gateways", "PrivateCloudGateway")
    for tenant in apps.get_model("tenants", "Tenant").objects.exclude(gateways__is_system=True):
        gateways.objects.create(
            tenant=tenant,
            is_system=True,
            name="System gateway",
            state="Running",
            running_at=timezone.now(),
        )


class Migration(migrations.Migration):
    dependencies = [("gateways", "0005_system_gateway_always_running")]

    operations = [migrations.RunPython(make_system_gateways, migrations.RunPython.noop)]
