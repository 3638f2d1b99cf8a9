-- People and programs: tokens for programs, and invitations.
-- Written for both databases by ginti-desk: whole numbers and texts only.

-- What a program calls with: only the SHA-256 of it is kept. facilities: a JSON array of facility ids, or NULL for all of the
-- tenant's. One that was revoked stays, so that its name stands for nobody else.
CREATE TABLE api_token (
    token_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_key bigint NOT NULL REFERENCES tenant,
    -- As it stands in attributions.
    user_login_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    facilities text,
    hash bytea NOT NULL UNIQUE,
    created bigint NOT NULL,
    created_by text NOT NULL,
    expires bigint,
    last_used bigint,
    revoked bigint,
    UNIQUE (tenant_key, user_login_id)
);

-- An account that waits for its person to choose a password. Only the SHA-256 of the secret is kept; placeholder is the account's
-- password hash until then: with any other one the invitation is void.
CREATE TABLE invitation (
    invitation_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_key bigint NOT NULL REFERENCES tenant,
    user_login_id text COLLATE "C" NOT NULL,
    hash bytea NOT NULL UNIQUE,
    placeholder text NOT NULL,
    created bigint NOT NULL,
    created_by text NOT NULL,
    expires bigint NOT NULL,
    used bigint,
    withdrawn bigint
);
CREATE INDEX invitation_person ON invitation (tenant_key, user_login_id);
