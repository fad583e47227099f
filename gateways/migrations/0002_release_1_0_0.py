from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

VERSION = "1.0.0"


def publish(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("gateways", "GatewayRelease").objects.create(
        version=VERSION,
        kubernetes_version="1.31.2",
        image_template="r_u-2204-0-k-1312-0",
        notes="First release: Ubuntu 22.04, Kubernetes 1.31.2.",
    )


def withdraw(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("gateways", "GatewayRelease").objects.filter(version=VERSION).delete()


class Migration(migrations.Migration):
    dependencies = [("gateways", "0001_gateways")]
    operations = [migrations.RunPython(publish, withdraw)]
