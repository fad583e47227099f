import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clusters", "0006_what_vcenter_and_nodes_say"),
    ]

    operations = [
        migrations.AddField(
            model_name="nodeinstruction",
            name="avoid",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="clusters.machine",
            ),
        ),
    ]
