-- Lines of a review that a filter asks for, where they are few among many: each index holds only those, with what they are
-- sorted by.

DROP INDEX review_line_open;
CREATE INDEX review_line_open ON review_line (run_key, attention, weight) WHERE decision IS NULL;
CREATE INDEX review_line_late ON review_line (run_key, attention, weight) WHERE late > 0;
CREATE INDEX review_line_not_counted ON review_line (run_key, attention, weight) WHERE counted IS NULL;
CREATE INDEX review_line_unmatched ON review_line (run_key, attention, weight) WHERE product_id IS NULL;
