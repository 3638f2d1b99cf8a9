-- Whose a session is, what its devices say they counted, and what happened to it.

ALTER TABLE session ADD COLUMN assigned_to TEXT;
ALTER TABLE session ADD COLUMN submitted INTEGER;

-- A device's last word of itself. details: a JSON object.
CREATE TABLE device_report (
    device_key INTEGER PRIMARY KEY REFERENCES device,
    reported_at INTEGER NOT NULL,
    reported_by INTEGER NOT NULL REFERENCES person,
    details TEXT NOT NULL
) STRICT;

CREATE TABLE statement (
    session_key INTEGER NOT NULL REFERENCES session,
    device_key INTEGER NOT NULL REFERENCES device,
    item_count INTEGER NOT NULL,
    digest TEXT NOT NULL,
    unsent INTEGER NOT NULL,
    oldest_unsent INTEGER,
    stated INTEGER NOT NULL,
    PRIMARY KEY (session_key, device_key)
) STRICT, WITHOUT ROWID;

-- left_behind: a JSON array of device ids.
CREATE TABLE session_event (
    event_key INTEGER PRIMARY KEY,
    session_key INTEGER NOT NULL REFERENCES session,
    at INTEGER NOT NULL,
    done_by TEXT NOT NULL,
    from_status TEXT NOT NULL,
    to_status TEXT NOT NULL,
    assigned_to TEXT,
    reason TEXT,
    left_behind TEXT NOT NULL
) STRICT;
CREATE INDEX session_event_session ON session_event (session_key);
