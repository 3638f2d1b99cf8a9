-- How long the ledger is, by the name it has on PostgreSQL: what is written once for both databases asks so.
CREATE VIEW ledger AS SELECT coalesce(max(last_seq), 0) AS last_seq FROM arrival;
