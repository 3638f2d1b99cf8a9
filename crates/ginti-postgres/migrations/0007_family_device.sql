-- Which devices hold a sign-in: blocking a device ends the sign-ins on it.
CREATE TABLE family_device (
    device_key bigint NOT NULL REFERENCES device,
    family bigint NOT NULL REFERENCES refresh_family ON DELETE CASCADE,
    PRIMARY KEY (device_key, family)
);
CREATE INDEX family_device_family ON family_device (family);
