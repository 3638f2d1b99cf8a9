-- People and programs: tokens for programs, and invitations.
-- Written for both databases by ginti-desk: whole numbers and texts only.

-- What a program calls with: only the SHA-256 of it is kept. facilities: a JSON array of facility ids, or NULL for all of the
-- tenant's. One that was revoked stays, so that its name stands for nobody else.
CREATE TABLE api_token (
    token_key INTEGER PRIMARY KEY,
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    -- As it stands in attributions.
    user_login_id TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    facilities TEXT,
    hash BLOB NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires INTEGER,
    last_used INTEGER,
    revoked INTEGER,
    UNIQUE (tenant_key, user_login_id)
) STRICT;

-- An account that waits for its person to choose a password. Only the SHA-256 of the secret is kept; placeholder is the account's
-- password hash until then: with any other one the invitation is void.
CREATE TABLE invitation (
    invitation_key INTEGER PRIMARY KEY,
    tenant_key INTEGER NOT NULL REFERENCES tenant,
    user_login_id TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    placeholder TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER,
    withdrawn INTEGER
) STRICT;
CREATE INDEX invitation_person ON invitation (tenant_key, user_login_id);
