from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0001_operations_steps_events")]

    operations = [
        migrations.RemoveIndex(model_name="event", name="event_by_subject"),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                fields=["subject_kind", "subject_id", "-number"],
                condition=Q(archived_at=None),
                name="event_current_by_subject",
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["at"], condition=Q(archived_at=None), name="event_current_by_time"),
        ),
    ]
