-- Texts from outside are interned once into integer keys; the hot tables (arrival, item) hold integers and the row's
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
    -- The newest revision that arrived of it: a stamp above is not in history.
    newest INTEGER NOT NULL DEFAULT 0,
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

-- History: every revision that arrived, in order of arrival; records are added and never changed. A record is a batch:
-- `entries` holds its counts (ginti-store's `Entry`, one after the other). They have the numbers up to last_seq in the ledger;
-- `oldest` and `newest` bound their revisions.
CREATE TABLE arrival (
    last_seq INTEGER PRIMARY KEY,
    session_key INTEGER NOT NULL,
    device_key INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    sent_by INTEGER NOT NULL,
    batch_id BLOB NOT NULL,
    count INTEGER NOT NULL,
    oldest INTEGER NOT NULL,
    newest INTEGER NOT NULL,
    entries BLOB NOT NULL
) STRICT;
CREATE INDEX arrival_session ON arrival (session_key);
CREATE INDEX arrival_stamp ON arrival (session_key, device_key, newest, oldest);

-- Each row's count that holds, by its stamp; its content is in history.
CREATE TABLE item (
    session_key INTEGER NOT NULL,
    item_seq TEXT NOT NULL,
    revision INTEGER NOT NULL,
    device_key INTEGER NOT NULL,
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
