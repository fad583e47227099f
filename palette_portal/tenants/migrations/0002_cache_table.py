from django.core.management import call_command
from django.db import migrations


def create_cache_table(apps, schema_editor):
    """The rate limits of sign-in are counted in the database, so that they hold across processes."""
    call_command("createcachetable", "portal_cache", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_people_and_projects")]
    operations = [migrations.RunPython(create_cache_table, migrations.RunPython.noop)]
