-- breaking: no
-- Groups of people that a token's bearer is of: who may consent to what.

-- Null: of none.
ALTER TABLE api_tokens ADD COLUMN groups text[];
