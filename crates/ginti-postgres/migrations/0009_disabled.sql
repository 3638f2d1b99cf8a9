-- When an admin disabled the account; NULL: it may sign in.
ALTER TABLE account ADD COLUMN disabled bigint;
