from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clusters", "0010_places_given_up"),
    ]

    operations = [
        migrations.AddField(
            model_name="leftover",
            name="missed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="leftover",
            name="kind",
            field=models.CharField(
                choices=[
                    ("machine", "Virtual machine"),
                    ("disk", "Disk"),
                    ("volume", "Volume"),
                    ("folder", "Folder"),
                    ("address", "IP address"),
                ],
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="leftover",
            constraint=models.UniqueConstraint(fields=("cluster", "kind", "name"), name="leftover_told_once"),
        ),
    ]
