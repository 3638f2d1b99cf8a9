-- Texts from outside are interned once into integer keys; the hot tables (history, item) hold integers and the row's
-- own id only. No foreign keys on the hot tables: the writer makes their keys itself, in the same transaction.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE secret (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tenant (
    tenant_key INTEGER PRIMARY KEY,
    tenant_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL
) STRICT;

CREATE TABLE facility (
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    facility_id TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (tenant_key, facility_id)
) STRICT, WITHOUT ROWID;

-- A sign-in name as it stands in attributions. It stays when the account goes.
CREATE TABLE person (
    person_key INTEGER PRIMARY KEY,
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    user_login_id TEXT NOT NULL,
    UNIQUE (tenant_key, user_login_id)
) STRICT;

-- facilities: a JSON array of facility ids, or NULL for all of the tenant's.
CREATE TABLE account (
    user_login_id TEXT PRIMARY KEY,
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    facilities TEXT,
    password_hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE refresh_family (
    family INTEGER PRIMARY KEY,
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    user_login_id TEXT NOT NULL,
    expires INTEGER NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX refresh_family_expires ON refresh_family (expires);

CREATE TABLE refresh_token (
    hash BLOB PRIMARY KEY,
    family INTEGER NOT NULL REFERENCES refresh_family ON DELETE CASCADE,
    used INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_token_family ON refresh_token (family);

CREATE TABLE device (
    device_key INTEGER PRIMARY KEY,
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    device_id TEXT NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0,
    -- The last revision believed of an id that was given up because its clock ran ahead; NULL for all others.
    believed_to INTEGER,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    UNIQUE (tenant_key, device_id)
) STRICT;

-- Who has signed in on a device: it may carry these people's counts and nobody else's.
CREATE TABLE device_person (
    device_key INTEGER NOT NULL REFERENCES device,
    person_key INTEGER NOT NULL REFERENCES person,
    PRIMARY KEY (device_key, person_key)
) STRICT, WITHOUT ROWID;

-- barcodes: a JSON array.
CREATE TABLE product (
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    product_id TEXT NOT NULL,
    name TEXT NOT NULL,
    sku TEXT,
    barcodes TEXT NOT NULL,
    PRIMARY KEY (tenant_key, product_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    session_key INTEGER PRIMARY KEY,
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    session_id TEXT NOT NULL,
    name TEXT NOT NULL,
    facility_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    status TEXT NOT NULL,
    due INTEGER,
    created INTEGER NOT NULL,
    UNIQUE (tenant_key, session_id),
    FOREIGN KEY (tenant_key, facility_id) REFERENCES facility
) STRICT;

CREATE TABLE assignment (
    session_key INTEGER NOT NULL REFERENCES session,
    item_seq TEXT NOT NULL,
    product_id TEXT NOT NULL,
    PRIMARY KEY (session_key, item_seq)
) STRICT, WITHOUT ROWID;

-- Every revision that arrived, in order of arrival; rows are added and never changed.
-- outcome: 0 applied, 1 superseded, 2 late, 3 rejected (its clock ran ahead).
-- origin: the ledger_seq of the late entry that this one applies; NULL for what arrived.
-- previous: the ledger_seq of the entry before in the same row, so that a row's history is a chain from item.last_seq.
-- counted_at, counted_by: as sent, NULL when left out; received_at and sent_by then stand in for them. An entry with an
-- origin has the origin's.
CREATE TABLE history (
    ledger_seq INTEGER PRIMARY KEY,
    session_key INTEGER NOT NULL,
    item_seq TEXT NOT NULL,
    revision INTEGER NOT NULL,
    device_key INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    product_id TEXT,
    product_identifier TEXT,
    counted_at INTEGER,
    counted_by INTEGER,
    is_requested INTEGER,
    location_seq_id TEXT,
    received_at INTEGER NOT NULL,
    sent_by INTEGER NOT NULL,
    batch_id BLOB NOT NULL,
    origin INTEGER,
    previous INTEGER
) STRICT;
-- A stamp arrives once. Device and revision before the row: a batch then lands on a page or two at the end of its
-- device's range, where by row each of its items would touch a page of its own.
CREATE UNIQUE INDEX history_stamp ON history (session_key, device_key, revision, item_seq) WHERE origin IS NULL;
CREATE INDEX history_session ON history (session_key);

-- Each row's count that holds (NULL while there are only late or refused ones) and its latest history entry.
CREATE TABLE item (
    session_key INTEGER NOT NULL,
    item_seq TEXT NOT NULL,
    revision INTEGER,
    device_key INTEGER,
    ledger_seq INTEGER,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (session_key, item_seq)
) STRICT, WITHOUT ROWID;

-- Remembered receipts. items: NULL when every item was applied (rebuilt from the repeated request), else JSON.
CREATE TABLE receipt (
    receipt_key INTEGER PRIMARY KEY,
    tenant_key INTEGER NOT NULL,
    batch_id BLOB NOT NULL,
    digest BLOB NOT NULL,
    ledger_seq INTEGER NOT NULL,
    server_time INTEGER NOT NULL,
    items TEXT
) STRICT;
CREATE UNIQUE INDEX receipt_batch ON receipt (tenant_key, batch_id);
