-- breaking: no
-- What runs of drills left behind, and the keys that it is signed with.

CREATE TABLE drill_report_keys (
  -- RFC 7638 thumbprint.
  key_id text PRIMARY KEY,
  -- Raw, base64url.
  public_key text NOT NULL,
  -- The private one, sealed with a key that the hub derives from one of its own on disk.
  sealed bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Signs nothing any more since; what it has signed is verified with it all the same.
  retired_at timestamptz
);
-- One signs.
CREATE UNIQUE INDEX drill_report_keys_signing ON drill_report_keys ((true)) WHERE retired_at IS NULL;

CREATE TABLE drill_reports (
  run text NOT NULL,
  -- When the run was asked for: names of runs may come again.
  requested_at timestamptz NOT NULL,
  drill text NOT NULL,
  mode text NOT NULL,
  outcome text NOT NULL,
  ended_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  keep_until timestamptz NOT NULL,
  -- What trends show.
  summary jsonb NOT NULL,
  -- The signed report as its canonical text, which jsonb would not keep; digest of its statement, signature and key.
  document text NOT NULL,
  digest text NOT NULL,
  signature text NOT NULL,
  key_id text NOT NULL REFERENCES drill_report_keys (key_id),
  PRIMARY KEY (run, requested_at)
);
CREATE INDEX drill_reports_by_drill ON drill_reports (drill, requested_at DESC);
CREATE INDEX drill_reports_passed ON drill_reports (drill, ended_at DESC) WHERE outcome = 'Passed' AND mode = 'live';
CREATE INDEX drill_reports_to_forget ON drill_reports (keep_until);
