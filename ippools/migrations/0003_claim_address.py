from django.db import migrations

# One round trip: everything after the lock on the pool's row is seen as the lock's last holder left it, which
# is not so within a single statement.
CREATE = """
CREATE FUNCTION ippools_claim_address(
    wanted_pool uuid, known_edition integer, first_address inet, last_address inet, blocked inet[],
    for_cluster uuid, kind text, owner uuid, name text, for_purpose text, is_my_turn boolean,
    OUT outcome text, OUT held ippools_ipaddressclaim
) LANGUAGE plpgsql AS $$
DECLARE
    pool record;
    returned inet;
    unused inet;
BEGIN
    SELECT edition, restrict_to_single_cluster, reserved_for, unused_from INTO pool
        FROM ippools_ippool WHERE id = wanted_pool FOR NO KEY UPDATE;

    SELECT * INTO held FROM ippools_ipaddressclaim
        WHERE owner_id = owner AND purpose = for_purpose AND released_at IS NULL;
    IF FOUND THEN
        outcome := 'held';
        RETURN;
    END IF;
    IF pool.edition IS DISTINCT FROM known_edition THEN
        outcome := 'changed';
        RETURN;
    END IF;
    IF pool.restrict_to_single_cluster AND pool.reserved_for IS DISTINCT FROM for_cluster AND (
        pool.reserved_for IS NOT NULL OR EXISTS (
            SELECT FROM ippools_ipaddressclaim
            WHERE pool_id = wanted_pool AND released_at IS NULL AND cluster_id <> for_cluster
        )
    ) THEN
        outcome := 'reserved';
        RETURN;
    END IF;
    IF NOT is_my_turn AND EXISTS (SELECT FROM ippools_waitingcluster WHERE pool_id = wanted_pool) THEN
        outcome := 'line';
        RETURN;
    END IF;

    SELECT address INTO returned FROM ippools_returnedaddress
        WHERE pool_id = wanted_pool AND free_at <= clock_timestamp()
            AND address BETWEEN first_address AND last_address AND address <> ALL (blocked)
        ORDER BY address LIMIT 1;
    unused := greatest(coalesce(pool.unused_from, first_address), first_address);
    WHILE unused IS NOT NULL AND (
        unused = ANY (blocked)
        OR EXISTS (
            SELECT FROM ippools_ipaddressclaim
            WHERE pool_id = wanted_pool AND address = unused AND released_at IS NULL
        )
        OR EXISTS (SELECT FROM ippools_returnedaddress WHERE pool_id = wanted_pool AND address = unused)
    ) LOOP
        unused := CASE WHEN unused < last_address THEN unused + 1 END;
    END LOOP;
    IF returned IS NULL AND unused IS NULL THEN
        outcome := 'exhausted';
        RETURN;
    END IF;

    INSERT INTO ippools_ipaddressclaim
        (pool_id, address, cluster_id, owner_kind, owner_id, owner_name, purpose, claimed_at)
        VALUES (wanted_pool, least(returned, unused), for_cluster, kind, owner, name, for_purpose, now())
        RETURNING * INTO held;
    DELETE FROM ippools_returnedaddress WHERE pool_id = wanted_pool AND address = held.address;
    UPDATE ippools_ippool SET
        unused_from = coalesce(unused, last_address),
        reserved_for = CASE WHEN restrict_to_single_cluster THEN for_cluster END
        WHERE id = wanted_pool;
    outcome := 'claimed';
END
$$;
"""
DROP = """
DROP FUNCTION ippools_claim_address(
    uuid, integer, inet, inet, inet[], uuid, text, uuid, text, text, boolean
);
"""


class Migration(migrations.Migration):
    dependencies = [("ippools", "0002_returned_addresses_and_the_line")]

    operations = [migrations.RunSQL(CREATE, DROP)]
