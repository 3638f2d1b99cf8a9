-- Whose a session is, what its devices say they counted, and what happened to it.

ALTER TABLE session ADD COLUMN assigned_to TEXT;
ALTER TABLE session ADD COLUMN submitted BIGINT;

-- A device's last word of itself. details: a JSON object.
CREATE TABLE device_report (
    device_key BIGINT PRIMARY KEY REFERENCES device,
    reported_at BIGINT NOT NULL,
    reported_by BIGINT NOT NULL REFERENCES person,
    details TEXT NOT NULL
);

CREATE TABLE statement (
    session_key BIGINT NOT NULL REFERENCES session,
    device_key BIGINT NOT NULL REFERENCES device,
    item_count BIGINT NOT NULL,
    digest TEXT NOT NULL,
    unsent BIGINT NOT NULL,
    oldest_unsent BIGINT,
    stated BIGINT NOT NULL,
    PRIMARY KEY (session_key, device_key)
);

-- left_behind: a JSON array of device ids.
CREATE TABLE session_event (
    event_key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_key BIGINT NOT NULL REFERENCES session,
    at BIGINT NOT NULL,
    done_by TEXT NOT NULL,
    from_status TEXT NOT NULL,
    to_status TEXT NOT NULL,
    assigned_to TEXT,
    reason TEXT,
    left_behind TEXT NOT NULL
);
CREATE INDEX session_event_session ON session_event (session_key);
