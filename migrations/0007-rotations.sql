-- breaking: no
-- Rotations of the clusters' signing authorities: where each is, and what its cluster is told.

CREATE TABLE rotations (
  id text PRIMARY KEY,
  cluster text NOT NULL,
  -- As services/hub/src/trust/rotation-state.ts has it.
  phase text NOT NULL,
  state jsonb NOT NULL,
  -- The newest order; it stays after the rotation is over, for an agent that was away. NULL while nothing was ordered.
  trust_order jsonb,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One at a time for each cluster, whatever replicas are asked at once.
CREATE UNIQUE INDEX rotations_under_way ON rotations (cluster) WHERE phase NOT IN ('Done', 'RolledBack', 'Failed');
CREATE INDEX rotations_by_cluster ON rotations (cluster, created_at DESC);
