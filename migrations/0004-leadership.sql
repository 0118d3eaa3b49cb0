-- breaking: no
-- Replicas of the hub: who of them publishes, whose keys they share; clusters that were removed.

-- One row. `term` rises at each acquisition; what one leader does in the database is done while the term is still its own.
CREATE TABLE hub_leader (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  term bigint NOT NULL CHECK (term >= 0),
  -- The replica's instance and where its API is; '' before the first.
  holder text NOT NULL,
  address text NOT NULL,
  -- By this database's clock. Afterwards any replica may take the next term.
  expires_at timestamptz NOT NULL
);
INSERT INTO hub_leader (term, holder, address, expires_at) VALUES (0, '', '', '-infinity');

-- One row once a hub has started: the public halves of the keys that all replicas share.
CREATE TABLE hub_identity (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  signing_key text NOT NULL,
  nats_account text NOT NULL
);

-- Users of NATS that may not connect any more. `purged_at` is set when the cluster's documents were deleted from the bus.
CREATE TABLE revoked_nats_users (
  nats_user text PRIMARY KEY,
  cluster text NOT NULL,
  revoked_at timestamptz NOT NULL,
  purged_at timestamptz
);

-- What changed since a revision is found without looking at what did not.
CREATE INDEX resources_by_revision ON resources (revision);
