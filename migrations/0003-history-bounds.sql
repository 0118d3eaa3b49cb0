-- breaking: no
-- Why a write was made, and how far back the history is whole.

ALTER TABLE history ADD COLUMN reason text NOT NULL DEFAULT '';

-- One row. Every write after `revision` is in the history; of those up to it, only what the state at it was made of.
CREATE TABLE history_floor (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  revision bigint NOT NULL CHECK (revision >= 0)
);
INSERT INTO history_floor (revision) VALUES (0);
