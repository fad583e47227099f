"""The database itself keeps the two columns of an attached add-on profile together."""

from django.db import migrations

FORWARD = """
ALTER TABLE profiles_profileversion
    ADD CONSTRAINT profile_version_of_profile UNIQUE (id, profile_id);
ALTER TABLE clusters_clusteraddon
    ADD CONSTRAINT cluster_add_on_version_of_profile FOREIGN KEY (version_id, profile_id)
    REFERENCES profiles_profileversion (id, profile_id) DEFERRABLE INITIALLY DEFERRED;
"""

BACKWARD = """
ALTER TABLE clusters_clusteraddon DROP CONSTRAINT cluster_add_on_version_of_profile;
ALTER TABLE profiles_profileversion DROP CONSTRAINT profile_version_of_profile;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("clusters", "0014_add_on_profiles"),
        ("profiles", "0002_published_versions_never_change"),
    ]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
