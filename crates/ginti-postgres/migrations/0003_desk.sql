-- The manager's side: runs, stock on hand, what was counted against it, what was decided, and what leaves the house.
-- Written for both databases by ginti-desk: whole numbers and texts only.

CREATE TABLE run (
    run_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_key bigint NOT NULL REFERENCES tenant,
    run_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    due bigint,
    created bigint NOT NULL,
    created_by text,
    -- Counts each change: whoever writes to a run's review holds its row.
    version bigint NOT NULL DEFAULT 0,
    UNIQUE (tenant_key, run_id)
);

ALTER TABLE session ADD COLUMN run_key bigint REFERENCES run;
-- 1: whoever counts is not shown what is expected.
ALTER TABLE session ADD COLUMN is_blind bigint NOT NULL DEFAULT 0;
-- 1: what this session counted stands in the place of what the run's others did.
ALTER TABLE session ADD COLUMN is_recount bigint NOT NULL DEFAULT 0;
-- Where in the store.
ALTER TABLE session ADD COLUMN area text;
-- Its last record in history that the review knows; NULL when it is not in review.
ALTER TABLE session ADD COLUMN reviewed_seq bigint;
CREATE INDEX session_run ON session (run_key);

-- What should lie there. on_hand in micro-units; unit_cost in millionths of the tenant's currency.
CREATE TABLE stock (
    tenant_key bigint NOT NULL REFERENCES tenant,
    facility_id text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    on_hand bigint NOT NULL,
    unit_cost bigint,
    as_of bigint NOT NULL,
    PRIMARY KEY (tenant_key, facility_id, product_id)
);

-- What one session counted of one product (or of a code that is none's): the sum of its rows.
CREATE TABLE review_part (
    session_key bigint NOT NULL,
    subject text COLLATE "C" NOT NULL,
    run_key bigint NOT NULL,
    facility_id text COLLATE "C" NOT NULL,
    product_id text COLLATE "C",
    counted bigint NOT NULL,
    row_count bigint NOT NULL,
    device_count bigint NOT NULL,
    contested bigint NOT NULL,
    late bigint NOT NULL,
    recount bigint NOT NULL,
    PRIMARY KEY (session_key, subject)
);
CREATE INDEX review_part_line ON review_part (run_key, facility_id, subject);

-- A line of a run's review: one product in one store, all sessions together. attention: 0 none, 1 not counted, 2 late, 3 contested;
-- weight: how much is at stake, in money where the cost is known, else in units.
CREATE TABLE review_line (
    run_key bigint NOT NULL,
    facility_id text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    product_id text COLLATE "C",
    expected bigint,
    unit_cost bigint,
    counted bigint,
    session_count bigint NOT NULL,
    device_count bigint NOT NULL,
    late bigint NOT NULL,
    recount bigint NOT NULL,
    attention bigint NOT NULL,
    difference bigint NOT NULL,
    value_difference bigint,
    weight bigint NOT NULL,
    decision text,
    chosen bigint,
    reason text,
    decided_by text,
    decided_at bigint,
    PRIMARY KEY (run_key, facility_id, subject)
);
CREATE INDEX review_line_attention ON review_line (run_key, attention DESC, weight DESC, facility_id, subject);
CREATE INDEX review_line_weight ON review_line (run_key, weight DESC, facility_id, subject);
CREATE INDEX review_line_open ON review_line (run_key, attention) WHERE decision IS NULL;

-- Every decision, with what it needs to be taken back. details: a JSON object.
CREATE TABLE audit (
    audit_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_key bigint NOT NULL REFERENCES tenant,
    at bigint NOT NULL,
    done_by text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    details text NOT NULL,
    undone bigint NOT NULL DEFAULT 0
);
CREATE INDEX audit_tenant ON audit (tenant_key, audit_key);

-- What a device is asked to do at its next contact.
CREATE TABLE nudge (
    device_key bigint NOT NULL REFERENCES device,
    kind text NOT NULL,
    asked_at bigint NOT NULL,
    asked_by text NOT NULL,
    PRIMARY KEY (device_key, kind)
);

-- Where approved results go. secret signs what is sent.
CREATE TABLE receiver (
    receiver_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_key bigint NOT NULL REFERENCES tenant,
    receiver_id text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    url text NOT NULL,
    secret bytea NOT NULL,
    is_active bigint NOT NULL DEFAULT 1,
    created bigint NOT NULL,
    UNIQUE (tenant_key, receiver_id)
);

-- What is still to be delivered, and what was: written with the approval itself.
CREATE TABLE outbox (
    outbox_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_key bigint NOT NULL REFERENCES tenant,
    receiver_key bigint NOT NULL REFERENCES receiver,
    message_id text COLLATE "C" NOT NULL UNIQUE,
    run_key bigint NOT NULL,
    facility_id text COLLATE "C" NOT NULL,
    created bigint NOT NULL,
    attempts bigint NOT NULL DEFAULT 0,
    -- NULL: not to be tried again by itself.
    next_attempt bigint,
    delivered bigint,
    last_error text
);
CREATE INDEX outbox_next ON outbox (next_attempt);
