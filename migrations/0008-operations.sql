-- breaking: no
-- Operations: the lives of resources that move traffic in steps, and the specs that are in force for them meanwhile.

CREATE TABLE operations (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- The resource whose life it is.
  kind text NOT NULL,
  namespace text NOT NULL,
  name text NOT NULL,
  uid uuid NOT NULL,
  -- Of the spec that it was begun with.
  generation bigint NOT NULL,
  phase text NOT NULL,
  -- As the kind's state machine has it (services/hub/src/operations/operation-kind.ts).
  state jsonb NOT NULL,
  -- What agents get in place of the spec; NULL: the spec, or nothing where that is not for agents. It stays when the operation has ended.
  in_force jsonb,
  -- The write with which in_force became what it is; NULL: that of the resource.
  in_force_revision bigint,
  -- Milliseconds for which a leader attended to it, and when that was noted.
  clock_ms bigint NOT NULL DEFAULT 0,
  clock_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz
);

-- One at a time for each resource, whatever replicas are asked at once.
CREATE UNIQUE INDEX operations_under_way ON operations (kind, namespace, name) WHERE ended_at IS NULL;
CREATE INDEX operations_by_uid ON operations (uid, id DESC);
