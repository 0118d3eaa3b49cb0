-- breaking: no
-- Measured traffic by the minute, and what its counting goes on from when a hub starts (decision 0028).

CREATE TABLE traffic_minutes (
  minute timestamptz NOT NULL,
  -- Cluster of the callers.
  source text NOT NULL,
  service text NOT NULL,
  cluster text NOT NULL,
  region text NOT NULL,
  zone text NOT NULL,
  version text NOT NULL,
  -- As services/hub/src/traffic/counts.ts has them: requests, failures, attempts, failed attempts, retries, latencies by bucket.
  counts bigint[] NOT NULL,
  PRIMARY KEY (minute, source, service, cluster, region, zone, version)
);

-- Seconds of a minute that a cluster's agents accounted for: without them, no row is no zero.
CREATE TABLE traffic_coverage (
  minute timestamptz NOT NULL,
  source text NOT NULL,
  seconds integer NOT NULL,
  PRIMARY KEY (minute, source)
);

-- The sums that each agent had told when the minutes were written.
CREATE TABLE traffic_streams (
  cluster text NOT NULL,
  replica text NOT NULL,
  instance text NOT NULL,
  at timestamptz NOT NULL,
  series jsonb NOT NULL,
  PRIMARY KEY (cluster, replica)
);
