from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import OuterRef, Subquery


def copy_from_cluster(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Until now all machines of a cluster were alike, and the first of the master pool began it."""
    machine, cluster = apps.get_model("clusters", "Machine"), apps.get_model("clusters", "Cluster")
    of_machine = cluster.objects.filter(pk=OuterRef("cluster_id"))
    machine.objects.update(
        kubernetes_version=Subquery(of_machine.values("kubernetes_version")[:1]),
        image_template=Subquery(of_machine.values("image_template")[:1]),
    )
    machine.objects.filter(pool__role="control-plane", index=1).update(is_first=True)


class Migration(migrations.Migration):
    dependencies = [("clusters", "0003_life_of_clusters")]
    operations = [migrations.RunPython(copy_from_cluster, migrations.RunPython.noop)]
