-- The manager's side: runs, stock on hand, what was counted against it, what was decided, and what leaves the house.
-- Written for both databases by ginti-desk: whole numbers and texts only.

CREATE TABLE run (
    run_key INTEGER PRIMARY KEY,
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    run_id TEXT NOT NULL,
    name TEXT NOT NULL,
    due INTEGER,
    created INTEGER NOT NULL,
    created_by TEXT,
    -- Counts each change: whoever writes to a run's review holds its row.
    version INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant_key, run_id)
) STRICT;

ALTER TABLE session ADD COLUMN run_key INTEGER REFERENCES run;
-- 1: whoever counts is not shown what is expected.
ALTER TABLE session ADD COLUMN is_blind INTEGER NOT NULL DEFAULT 0;
-- 1: what this session counted stands in the place of what the run's others did.
ALTER TABLE session ADD COLUMN is_recount INTEGER NOT NULL DEFAULT 0;
-- Where in the store.
ALTER TABLE session ADD COLUMN area TEXT;
-- Its last record in history that the review knows; NULL when it is not in review.
ALTER TABLE session ADD COLUMN reviewed_seq INTEGER;
CREATE INDEX session_run ON session (run_key);

-- What should lie there. on_hand in micro-units; unit_cost in millionths of the tenant's currency.
CREATE TABLE stock (
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    facility_id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    on_hand INTEGER NOT NULL,
    unit_cost INTEGER,
    as_of INTEGER NOT NULL,
    PRIMARY KEY (tenant_key, facility_id, product_id)
) STRICT, WITHOUT ROWID;

-- What one session counted of one product (or of a code that is none's): the sum of its rows.
CREATE TABLE review_part (
    session_key INTEGER NOT NULL,
    subject TEXT NOT NULL,
    run_key INTEGER NOT NULL,
    facility_id TEXT NOT NULL,
    product_id TEXT,
    counted INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    device_count INTEGER NOT NULL,
    contested INTEGER NOT NULL,
    late INTEGER NOT NULL,
    recount INTEGER NOT NULL,
    PRIMARY KEY (session_key, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX review_part_line ON review_part (run_key, facility_id, subject);

-- A line of a run's review: one product in one store, all sessions together. attention: 0 none, 1 not counted, 2 late, 3 contested;
-- weight: how much is at stake, in money where the cost is known, else in units.
CREATE TABLE review_line (
    run_key INTEGER NOT NULL,
    facility_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    product_id TEXT,
    expected INTEGER,
    unit_cost INTEGER,
    counted INTEGER,
    session_count INTEGER NOT NULL,
    device_count INTEGER NOT NULL,
    late INTEGER NOT NULL,
    recount INTEGER NOT NULL,
    attention INTEGER NOT NULL,
    difference INTEGER NOT NULL,
    value_difference INTEGER,
    weight INTEGER NOT NULL,
    decision TEXT,
    chosen INTEGER,
    reason TEXT,
    decided_by TEXT,
    decided_at INTEGER,
    PRIMARY KEY (run_key, facility_id, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX review_line_attention ON review_line (run_key, attention DESC, weight DESC, facility_id, subject);
CREATE INDEX review_line_weight ON review_line (run_key, weight DESC, facility_id, subject);
CREATE INDEX review_line_open ON review_line (run_key, attention) WHERE decision IS NULL;

-- Every decision, with what it needs to be taken back. details: a JSON object.
CREATE TABLE audit (
    audit_key INTEGER PRIMARY KEY,
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    at INTEGER NOT NULL,
    done_by TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX audit_tenant ON audit (tenant_key, audit_key);

-- What a device is asked to do at its next contact.
CREATE TABLE nudge (
    device_key INTEGER NOT NULL REFERENCES device,
    kind TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    asked_by TEXT NOT NULL,
    PRIMARY KEY (device_key, kind)
) STRICT, WITHOUT ROWID;

-- Where approved results go. secret signs what is sent.
CREATE TABLE receiver (
    receiver_key INTEGER PRIMARY KEY,
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    receiver_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    url TEXT NOT NULL,
    secret BLOB NOT NULL,
    is_active INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    UNIQUE (tenant_key, receiver_id)
) STRICT;

-- What is still to be delivered, and what was: written with the approval itself.
CREATE TABLE outbox (
    outbox_key INTEGER PRIMARY KEY,
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    receiver_key INTEGER NOT NULL REFERENCES receiver,
    message_id TEXT NOT NULL UNIQUE,
    run_key INTEGER NOT NULL,
    facility_id TEXT NOT NULL,
    created INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- NULL: not to be tried again by itself.
    next_attempt INTEGER,
    delivered INTEGER,
    last_error TEXT
) STRICT;
CREATE INDEX outbox_next ON outbox (next_attempt);
