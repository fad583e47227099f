from django.db import migrations

# Only a Pending gateway, which has no machines, may get any size; as the page and the action say, too.
CREATE = """
CREATE FUNCTION gateways_refuse_shrinking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'gateway_does_not_shrink: the gateway % has % nodes', OLD.name, OLD.size
        USING ERRCODE = 'check_violation';
END
$$;
CREATE TRIGGER gateway_does_not_shrink BEFORE UPDATE ON gateways_privatecloudgateway
    FOR EACH ROW WHEN (NEW.size < OLD.size AND OLD.state <> 'Pending')
    EXECUTE FUNCTION gateways_refuse_shrinking();
"""
DROP = """
DROP TRIGGER gateway_does_not_shrink ON gateways_privatecloudgateway;
DROP FUNCTION gateways_refuse_shrinking();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("gateways", "0007_prerequisite_reports"),
    ]

    operations = [migrations.RunSQL(CREATE, DROP)]
