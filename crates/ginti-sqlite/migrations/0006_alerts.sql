-- Alerts: the rules of a tenant, what they found, and what the outbox tells of it. And what went wrong, hour by hour.
-- Written for both databases by ginti-desk: whole numbers and texts only.

-- What a tenant chose; a kind without a row goes by what the program comes with. after_ms: NULL where a kind waits for nothing.
CREATE TABLE alert_rule (
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    kind TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    after_ms INTEGER,
    PRIMARY KEY (tenant_key, kind)
) STRICT, WITHOUT ROWID;

-- One incident: raised once, cleared once. subject: a device's id or a receiver's. details: a JSON object.
CREATE TABLE alert (
    alert_key INTEGER PRIMARY KEY,
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL,
    raised INTEGER NOT NULL,
    cleared INTEGER
) STRICT;
CREATE UNIQUE INDEX alert_open ON alert (tenant_key, kind, subject) WHERE cleared IS NULL;
CREATE INDEX alert_tenant ON alert (tenant_key, alert_key);

-- One row: whoever writes alerts down holds it, so that of several servers one does.
CREATE TABLE alert_look (
    only_key INTEGER PRIMARY KEY,
    looked INTEGER NOT NULL
) STRICT;
INSERT INTO alert_look (only_key, looked) VALUES (1, 0);

-- A device's last counts that were refused, by session. code: of the last of them.
CREATE TABLE refused (
    session_key INTEGER NOT NULL REFERENCES session,
    device_key INTEGER NOT NULL REFERENCES device,
    refused_at INTEGER NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (session_key, device_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX refused_device ON refused (device_key);

-- Counts refused, and deliveries tried again by what devices say, in each hour of Unix time.
CREATE TABLE refusal_hour (
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    at_hour INTEGER NOT NULL,
    facility_id TEXT NOT NULL,
    code TEXT NOT NULL,
    refused INTEGER NOT NULL,
    PRIMARY KEY (tenant_key, at_hour, facility_id, code)
) STRICT, WITHOUT ROWID;
CREATE TABLE retry_hour (
    device_key INTEGER NOT NULL REFERENCES device,
    at_hour INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    PRIMARY KEY (device_key, at_hour)
) STRICT, WITHOUT ROWID;

-- A message tells of a store's results in a run, or of an alert that was raised (state 0) or has cleared (1).
CREATE TABLE outbox_next_version (
    outbox_key INTEGER PRIMARY KEY,
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    receiver_key INTEGER NOT NULL REFERENCES receiver,
    message_id TEXT NOT NULL UNIQUE,
    run_key INTEGER,
    facility_id TEXT,
    alert_key INTEGER,
    alert_state INTEGER,
    created INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- NULL: not to be tried again by itself.
    next_attempt INTEGER,
    delivered INTEGER,
    last_error TEXT,
    CHECK ((run_key IS NULL) = (facility_id IS NULL) AND (run_key IS NULL) <> (alert_key IS NULL)
        AND (alert_key IS NULL) = (alert_state IS NULL))
) STRICT;
INSERT INTO outbox_next_version
    (outbox_key, tenant_key, receiver_key, message_id, run_key, facility_id, created, attempts, next_attempt, delivered, last_error)
    SELECT outbox_key, tenant_key, receiver_key, message_id, run_key, facility_id, created, attempts, next_attempt, delivered,
        last_error
    FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_next_version RENAME TO outbox;
CREATE INDEX outbox_next ON outbox (next_attempt);
CREATE INDEX outbox_dead ON outbox (receiver_key) WHERE delivered IS NULL AND next_attempt IS NULL;
