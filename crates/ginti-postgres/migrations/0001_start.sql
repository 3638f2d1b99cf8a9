-- Texts from outside are interned once into integer keys; the hot tables (arrival, item) hold integers and the row's own id
-- only, and no foreign keys: what fills them makes their keys itself. Ids are compared byte by byte (COLLATE "C"), as
-- everywhere in Ginti. The same tables as in SQLite, but for the ledger's length, which several servers share.

CREATE TABLE meta (
    name text PRIMARY KEY,
    value text NOT NULL
);

CREATE TABLE secret (
    name text PRIMARY KEY,
    value bytea NOT NULL
);

CREATE TABLE tenant (
    tenant_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL
);

CREATE TABLE facility (
    tenant_key bigint NOT NULL REFERENCES tenant,
    facility_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (tenant_key, facility_id)
);

-- A sign-in name as it stands in attributions. It stays when the account goes.
CREATE TABLE person (
    person_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_key bigint NOT NULL REFERENCES tenant,
    user_login_id text COLLATE "C" NOT NULL,
    UNIQUE (tenant_key, user_login_id)
);

-- facilities: NULL for all of the tenant's.
CREATE TABLE account (
    user_login_id text COLLATE "C" PRIMARY KEY,
    tenant_key bigint NOT NULL REFERENCES tenant,
    name text NOT NULL,
    role text NOT NULL,
    facilities text[],
    password_hash text NOT NULL
);

CREATE TABLE refresh_family (
    family bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_key bigint NOT NULL REFERENCES tenant,
    user_login_id text COLLATE "C" NOT NULL,
    expires bigint NOT NULL,
    revoked boolean NOT NULL DEFAULT false
);
CREATE INDEX refresh_family_expires ON refresh_family (expires);

CREATE TABLE refresh_token (
    hash bytea PRIMARY KEY,
    family bigint NOT NULL REFERENCES refresh_family ON DELETE CASCADE,
    used bigint
);
CREATE INDEX refresh_token_family ON refresh_token (family);

-- believed_to: the last revision believed of an id that was given up because its clock ran ahead; NULL for all others.
-- newest: the newest revision that arrived of it; a stamp above is not in history.
CREATE TABLE device (
    device_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_key bigint NOT NULL REFERENCES tenant,
    device_id text COLLATE "C" NOT NULL,
    revoked boolean NOT NULL DEFAULT false,
    believed_to bigint,
    newest bigint NOT NULL DEFAULT 0,
    first_seen bigint NOT NULL,
    last_seen bigint NOT NULL,
    UNIQUE (tenant_key, device_id)
) WITH (fillfactor = 50);

-- Who has signed in on a device: it may carry these people's counts and nobody else's.
CREATE TABLE device_person (
    device_key bigint NOT NULL REFERENCES device,
    person_key bigint NOT NULL REFERENCES person,
    PRIMARY KEY (device_key, person_key)
);

CREATE TABLE product (
    tenant_key bigint NOT NULL REFERENCES tenant,
    product_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    sku text,
    barcodes text[] NOT NULL,
    PRIMARY KEY (tenant_key, product_id)
);

CREATE TABLE session (
    session_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_key bigint NOT NULL REFERENCES tenant,
    session_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    facility_id text COLLATE "C" NOT NULL,
    purpose text NOT NULL,
    status text NOT NULL,
    due bigint,
    created bigint NOT NULL,
    UNIQUE (tenant_key, session_id),
    FOREIGN KEY (tenant_key, facility_id) REFERENCES facility
) WITH (fillfactor = 50);

CREATE TABLE assignment (
    session_key bigint NOT NULL REFERENCES session,
    item_seq text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (session_key, item_seq)
);

-- How long the ledger is. Whoever adds to it holds this row until the commit, so that numbers become visible in their order
-- and no cursor ever passes over one that comes later.
CREATE TABLE ledger (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    last_seq bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO ledger (last_seq) VALUES (0);

-- History: every revision that arrived, in order of arrival; records are added and never changed. A record is a batch:
-- `entries` holds its counts (ginti-store's `Entry`, one after the other). They have the numbers up to last_seq in the ledger;
-- `oldest` and `newest` bound their revisions.
CREATE TABLE arrival (
    last_seq bigint PRIMARY KEY,
    session_key bigint NOT NULL,
    device_key bigint NOT NULL,
    received_at bigint NOT NULL,
    sent_by bigint NOT NULL,
    batch_id bytea NOT NULL,
    count bigint NOT NULL,
    oldest bigint NOT NULL,
    newest bigint NOT NULL,
    entries bytea NOT NULL
);
ALTER TABLE arrival ALTER COLUMN entries SET STORAGE EXTERNAL;
CREATE INDEX arrival_session ON arrival (session_key, last_seq);
CREATE INDEX arrival_stamp ON arrival (session_key, device_key, newest, oldest);

-- Each row's count that holds, by its stamp; its content is in history. Only columns outside the key change, and there is room
-- for it in each page: nearly every update then stays within its page and touches no index.
CREATE TABLE item (
    session_key bigint NOT NULL,
    item_seq text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    device_key bigint NOT NULL,
    PRIMARY KEY (session_key, item_seq)
) WITH (fillfactor = 70);

-- Remembered receipts. items: NULL when every item was applied (rebuilt from the repeated request), else JSON.
CREATE TABLE receipt (
    receipt_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_key bigint NOT NULL,
    batch_id bytea NOT NULL,
    digest bytea NOT NULL,
    ledger_seq bigint NOT NULL,
    server_time bigint NOT NULL,
    items text,
    UNIQUE (tenant_key, batch_id)
);
