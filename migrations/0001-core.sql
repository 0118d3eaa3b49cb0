-- breaking: no
-- The desired state, its history and its outbox; enrolment; access.

-- One row. A write takes the next revision by updating it, and the row lock held until commit makes
-- revisions gap-free and commit-ordered.
CREATE TABLE hub_meta (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  epoch bigint NOT NULL CHECK (epoch > 0),
  revision bigint NOT NULL CHECK (revision >= 0)
);
-- The Unix time, so that a new database is never mistaken for an earlier life of the hub.
INSERT INTO hub_meta (epoch, revision) VALUES (extract(epoch FROM clock_timestamp())::bigint, 0);

CREATE TABLE resources (
  kind text NOT NULL,
  namespace text NOT NULL,
  name text NOT NULL,
  uid uuid NOT NULL,
  generation bigint NOT NULL,
  revision bigint NOT NULL,
  labels jsonb NOT NULL,
  annotations jsonb NOT NULL,
  spec jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (kind, namespace, name)
);

-- The resource as each write left it; for a deletion, as it was last.
CREATE TABLE history (
  revision bigint PRIMARY KEY,
  kind text NOT NULL,
  namespace text NOT NULL,
  name text NOT NULL,
  action text NOT NULL CHECK (action IN ('create', 'update', 'delete')),
  actor text NOT NULL,
  at timestamptz NOT NULL,
  resource jsonb NOT NULL
);
CREATE INDEX history_by_name ON history (kind, namespace, name, revision);

-- Writes the bus has not been told of. Rows go when they are published.
CREATE TABLE outbox (
  revision bigint PRIMARY KEY,
  kind text NOT NULL,
  namespace text NOT NULL,
  name text NOT NULL,
  action text NOT NULL CHECK (action IN ('create', 'update', 'delete')),
  at timestamptz NOT NULL
);
CREATE TABLE outbox_progress (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  published bigint NOT NULL
);
INSERT INTO outbox_progress (published) VALUES (0);

-- Secrets of JoinToken resources, hashed (SHA-256 of 256 random bits).
CREATE TABLE join_tokens (
  name text PRIMARY KEY,
  secret_hash bytea NOT NULL UNIQUE,
  cluster text NOT NULL,
  spec jsonb NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);

-- What enrolment made of the clusters that joined. Their places and labels are the Cluster resources.
CREATE TABLE members (
  cluster text PRIMARY KEY,
  signing_key text NOT NULL,
  epoch bigint NOT NULL CHECK (epoch > 0),
  nats_user text NOT NULL,
  enrolled_at timestamptz NOT NULL
);

-- Bearer tokens of the API, hashed (SHA-256 of 256 random bits).
CREATE TABLE api_tokens (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  token_hash bytea NOT NULL UNIQUE,
  -- Where the bootstrap token was written, so that losing the file revokes what it held.
  issued_to text NOT NULL,
  created_at timestamptz NOT NULL
);
