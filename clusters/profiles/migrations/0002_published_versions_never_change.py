"""The database itself keeps published versions as they are: an action cannot forget to ask.

A version may still be deleted with its profile, and it may lose the user who made it.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION profiles_keep_published_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.published_at IS NOT NULL AND
       (to_jsonb(NEW) - 'created_by_id') IS DISTINCT FROM (to_jsonb(OLD) - 'created_by_id') THEN
        RAISE EXCEPTION 'profile version % is published and never changes', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'profile_version_published_is_fixed';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER profile_version_published_is_fixed BEFORE UPDATE ON profiles_profileversion
    FOR EACH ROW EXECUTE FUNCTION profiles_keep_published_version();

CREATE FUNCTION profiles_keep_published_layer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    touched uuid[];
BEGIN
    touched := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.version_id]
                          WHEN 'DELETE' THEN ARRAY[OLD.version_id]
                          ELSE ARRAY[OLD.version_id, NEW.version_id] END;
    IF EXISTS (SELECT FROM profiles_profileversion
               WHERE id = ANY (touched) AND published_at IS NOT NULL
                     AND (TG_OP <> 'DELETE' OR published_at < transaction_timestamp())) THEN
        RAISE EXCEPTION 'a layer of a published profile version never changes'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'profile_layer_published_is_fixed';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER profile_layer_published_is_fixed AFTER INSERT OR UPDATE ON profiles_profilelayer
    FOR EACH ROW EXECUTE FUNCTION profiles_keep_published_layer();

-- Django deletes the layers before their version: whether it stays is known at the end, and by then a
-- draft whose layer was replaced may be published.
CREATE CONSTRAINT TRIGGER profile_layer_published_stays AFTER DELETE ON profiles_profilelayer
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION profiles_keep_published_layer();
"""

BACKWARD = """
DROP TRIGGER profile_layer_published_stays ON profiles_profilelayer;
DROP TRIGGER profile_layer_published_is_fixed ON profiles_profilelayer;
DROP FUNCTION profiles_keep_published_layer;
DROP TRIGGER profile_version_published_is_fixed ON profiles_profileversion;
DROP FUNCTION profiles_keep_published_version;
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0001_profiles")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
