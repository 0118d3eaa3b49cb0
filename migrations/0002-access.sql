-- breaking: no
-- Roles and ends of tokens; the audit, which only grows; trace ids from a request to what it wrote.

-- Until now every token was an administrator's.
ALTER TABLE api_tokens
  ADD COLUMN role text NOT NULL DEFAULT 'admin' CHECK (role IN ('viewer', 'operator', 'approver', 'admin')),
  -- Null: all namespaces.
  ADD COLUMN namespaces text[],
  ADD COLUMN expires_at timestamptz,
  ADD COLUMN created_by text NOT NULL DEFAULT 'admin';
ALTER TABLE api_tokens ALTER COLUMN role DROP DEFAULT, ALTER COLUMN created_by DROP DEFAULT;
-- Tokens made over the API are issued to no place and have a name of their own; bootstrap tokens are all "admin".
CREATE UNIQUE INDEX api_tokens_by_name ON api_tokens (name) WHERE issued_to = '';

-- W3C trace ids of the requests that wrote; '' when there was none.
ALTER TABLE history ADD COLUMN trace_id text NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN trace_id text NOT NULL DEFAULT '';

-- Who did what, who was refused what. `revision` is the write's, null when nothing was written.
CREATE TABLE audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  role text NOT NULL,
  verb text NOT NULL,
  kind text NOT NULL,
  namespace text NOT NULL,
  name text NOT NULL,
  revision bigint,
  outcome text NOT NULL CHECK (outcome IN ('allowed', 'denied', 'failed')),
  code integer NOT NULL,
  reason text NOT NULL,
  source text NOT NULL,
  trace_id text NOT NULL
);
CREATE INDEX audit_by_name ON audit (kind, namespace, name, id);
CREATE INDEX audit_by_actor ON audit (actor, id);
CREATE INDEX audit_by_time ON audit (at);

-- Rows go by audit_purge alone, and never within their first day, whoever asks.
CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  bound timestamptz := nullif(current_setting('hawser.audit_purge_before', true), '')::timestamptz;
BEGIN
  IF TG_OP = 'DELETE' AND OLD.at < bound AND OLD.at < clock_timestamp() - interval '1 day' THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'the audit only grows: % is refused', TG_OP
    USING ERRCODE = 'insufficient_privilege', HINT = 'audit_purge(before, most) removes what is older than a day';
END $$;
CREATE TRIGGER audit_rows_stay BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_only_grows();
CREATE TRIGGER audit_stays BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows();

-- Removes at most `most` of the oldest rows from before `bound`; answers how many went.
CREATE FUNCTION audit_purge(bound timestamptz, most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  gone bigint;
BEGIN
  PERFORM set_config('hawser.audit_purge_before', least(bound, clock_timestamp() - interval '1 day')::text, true);
  DELETE FROM audit WHERE id IN (
    SELECT id FROM audit WHERE at < least(bound, clock_timestamp() - interval '1 day') ORDER BY at LIMIT most
  );
  GET DIAGNOSTICS gone = ROW_COUNT;
  PERFORM set_config('hawser.audit_purge_before', '', true);
  RETURN gone;
END $$;
