-- breaking: no
-- What webhook sinks are to be told, until they have taken it.

CREATE TABLE notifications (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- A name of the hub's configuration.
  sink text NOT NULL,
  event jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  attempts integer NOT NULL DEFAULT 0,
  next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Why the last attempt failed.
  problem text NOT NULL DEFAULT '',
  -- Not tried any more since; it stays for a while to be seen.
  given_up_at timestamptz
);
CREATE INDEX notifications_by_sink ON notifications (sink, id) WHERE given_up_at IS NULL;

-- What sinks have taken.
CREATE TABLE notification_sinks (
  sink text PRIMARY KEY,
  delivered bigint NOT NULL DEFAULT 0,
  delivered_at timestamptz
);

-- Up to which revision the history was looked through.
CREATE TABLE notification_progress (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  revision bigint NOT NULL
);
