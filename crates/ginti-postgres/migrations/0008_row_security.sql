-- Row-level security: the second line behind the conditions in statements. A transaction says whose rows it is about, and sees and
-- writes no others: ginti.tenant holds its tenant's key; ginti.others those of further ones, with commas between, where batches
-- of several tenants are taken together; ginti.house is 'yes' for what the house does for all. Whoever has said nothing sees
-- nothing. FORCE, because the server owns its tables; superusers are never held to it.

-- What belongs to a session, a device or a run says itself whose it is: to ask its parent would cost each row a search. Statements
-- about one tenant need not say it. Not called tenant_key, so that statements that join such tables to their parents mean what
-- they meant.
DO $$
DECLARE
    child record;
BEGIN
    FOR child IN
        SELECT * FROM (VALUES
            ('refresh_token', 'refresh_family', 'family'),
            ('device_person', 'device', 'device_key'),
            ('family_device', 'device', 'device_key'),
            ('device_report', 'device', 'device_key'),
            ('nudge', 'device', 'device_key'),
            ('retry_hour', 'device', 'device_key'),
            ('assignment', 'session', 'session_key'),
            ('arrival', 'session', 'session_key'),
            ('item', 'session', 'session_key'),
            ('statement', 'session', 'session_key'),
            ('session_event', 'session', 'session_key'),
            ('refused', 'session', 'session_key'),
            ('review_part', 'run', 'run_key'),
            ('review_line', 'run', 'run_key')
        ) AS children (name, parent, key)
    LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN of_tenant bigint', child.name);
        EXECUTE format('UPDATE %1$I AS child SET of_tenant = parent.tenant_key FROM %2$I AS parent WHERE parent.%3$I = child.%3$I',
            child.name, child.parent, child.key);
        EXECUTE format($default$
            ALTER TABLE %I ALTER COLUMN of_tenant SET NOT NULL, ALTER COLUMN of_tenant SET DEFAULT
                CASE WHEN coalesce(current_setting('ginti.others', true), '') = ''
                     THEN nullif(current_setting('ginti.tenant', true), '')::bigint END
            $default$, child.name);
    END LOOP;
END $$;

-- Where rows are counted, or passed over by the hundred thousand, in an index alone, the index must know too.
ALTER TABLE item DROP CONSTRAINT item_pkey,
    ADD CONSTRAINT item_pkey PRIMARY KEY (session_key, item_seq) INCLUDE (of_tenant);
ALTER TABLE assignment DROP CONSTRAINT assignment_pkey,
    ADD CONSTRAINT assignment_pkey PRIMARY KEY (session_key, item_seq) INCLUDE (of_tenant);
ALTER TABLE review_line DROP CONSTRAINT review_line_pkey,
    ADD CONSTRAINT review_line_pkey PRIMARY KEY (run_key, facility_id, subject) INCLUDE (of_tenant);
DROP INDEX review_line_attention, review_line_weight, review_line_open, review_line_late, review_line_not_counted,
    review_line_unmatched;
CREATE INDEX review_line_attention ON review_line (run_key, attention DESC, weight DESC, facility_id, subject) INCLUDE (of_tenant);
CREATE INDEX review_line_weight ON review_line (run_key, weight DESC, facility_id, subject) INCLUDE (of_tenant);
CREATE INDEX review_line_open ON review_line (run_key, attention, weight) INCLUDE (of_tenant) WHERE decision IS NULL;
CREATE INDEX review_line_late ON review_line (run_key, attention, weight) INCLUDE (of_tenant) WHERE late > 0;
CREATE INDEX review_line_not_counted ON review_line (run_key, attention, weight) INCLUDE (of_tenant) WHERE counted IS NULL;
CREATE INDEX review_line_unmatched ON review_line (run_key, attention, weight) INCLUDE (of_tenant) WHERE product_id IS NULL;

-- The tenant is read from the setting once for a statement, not for each row; what is asked of each row beyond that is asked only
-- where it is another's. And the condition is written in words that the planner takes to rule nothing out: nearly always the
-- statement has ruled out the others already, and a planner that believed it twice would expect a few rows where there are a million.
DO $$
DECLARE
    guarded record;
BEGIN
    FOR guarded IN
        SELECT attrelid::regclass AS name, attname AS whose FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attname IN ('tenant_key', 'of_tenant')
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', guarded.name);
        EXECUTE format($policy$
            CREATE POLICY whose ON %1$s USING (
                CASE WHEN %2$I = (SELECT nullif(current_setting('ginti.tenant', true), '')::bigint) THEN 1
                     WHEN current_setting('ginti.house', true) = 'yes' THEN 1
                     WHEN %2$I = ANY (string_to_array(current_setting('ginti.others', true), ',')::bigint[]) THEN 1
                END IS NOT NULL)
            $policy$, guarded.name, guarded.whose);
    END LOOP;
END $$;
