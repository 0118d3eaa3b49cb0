-- breaking: no
-- Policy that member clusters have in their own API servers, and what became of it. What is in force of it is among the resources, as NAME@CLUSTER.

CREATE TABLE found_policies (
  cluster text NOT NULL,
  kind text NOT NULL,
  namespace text NOT NULL,
  name text NOT NULL,
  -- Of the object in its cluster; '' and 0 where they are not known.
  uid text NOT NULL,
  generation bigint NOT NULL,
  state text NOT NULL CHECK (state IN ('Adopted', 'ReadOnly', 'Conflict', 'Refused')),
  reason text NOT NULL,
  -- As its owner wrote it; NULL where it is no such resource.
  resource jsonb,
  -- When the rest became what it is.
  since timestamptz NOT NULL,
  PRIMARY KEY (cluster, kind, namespace, name)
);

CREATE INDEX resources_adopted ON resources (kind, namespace, name) WHERE position('@' IN name) > 0;
