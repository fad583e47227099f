import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clusters", "0007_instructions_avoid_a_node"),
    ]

    operations = [
        migrations.AddField(
            model_name="deploydraft",
            name="cluster",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="deploy_draft",
                to="clusters.cluster",
            ),
        ),
    ]
