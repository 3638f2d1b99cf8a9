-- Alerts: the rules of a tenant, what they found, and what the outbox tells of it. And what went wrong, hour by hour.
-- Written for both databases by ginti-desk: whole numbers and texts only.

-- What a tenant chose; a kind without a row goes by what the program comes with. after_ms: NULL where a kind waits for nothing.
CREATE TABLE alert_rule (
    tenant_key bigint NOT NULL REFERENCES tenant,
    kind text COLLATE "C" NOT NULL,
    is_active bigint NOT NULL,
    after_ms bigint,
    PRIMARY KEY (tenant_key, kind)
);

-- One incident: raised once, cleared once. subject: a device's id or a receiver's. details: a JSON object.
CREATE TABLE alert (
    alert_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_key bigint NOT NULL REFERENCES tenant,
    kind text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    details text NOT NULL,
    raised bigint NOT NULL,
    cleared bigint
);
CREATE UNIQUE INDEX alert_open ON alert (tenant_key, kind, subject) WHERE cleared IS NULL;
CREATE INDEX alert_tenant ON alert (tenant_key, alert_key);

-- One row: whoever writes alerts down holds it, so that of several servers one does.
CREATE TABLE alert_look (
    only_key bigint PRIMARY KEY,
    looked bigint NOT NULL
);
INSERT INTO alert_look (only_key, looked) VALUES (1, 0);

-- A device's last counts that were refused, by session. code: of the last of them.
CREATE TABLE refused (
    session_key bigint NOT NULL REFERENCES session,
    device_key bigint NOT NULL REFERENCES device,
    refused_at bigint NOT NULL,
    code text COLLATE "C" NOT NULL,
    PRIMARY KEY (session_key, device_key)
);
CREATE INDEX refused_device ON refused (device_key);

-- Counts refused, and deliveries tried again by what devices say, in each hour of Unix time.
CREATE TABLE refusal_hour (
    tenant_key bigint NOT NULL REFERENCES tenant,
    at_hour bigint NOT NULL,
    facility_id text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    refused bigint NOT NULL,
    PRIMARY KEY (tenant_key, at_hour, facility_id, code)
);
CREATE TABLE retry_hour (
    device_key bigint NOT NULL REFERENCES device,
    at_hour bigint NOT NULL,
    retries bigint NOT NULL,
    PRIMARY KEY (device_key, at_hour)
);

-- A message tells of a store's results in a run, or of an alert that was raised (state 0) or has cleared (1).
ALTER TABLE outbox ALTER COLUMN run_key DROP NOT NULL;
ALTER TABLE outbox ALTER COLUMN facility_id DROP NOT NULL;
ALTER TABLE outbox ADD COLUMN alert_key bigint;
ALTER TABLE outbox ADD COLUMN alert_state bigint;
ALTER TABLE outbox ADD CHECK ((run_key IS NULL) = (facility_id IS NULL) AND (run_key IS NULL) <> (alert_key IS NULL)
    AND (alert_key IS NULL) = (alert_state IS NULL));
CREATE INDEX outbox_dead ON outbox (receiver_key) WHERE delivered IS NULL AND next_attempt IS NULL;
