-- breaking: no
-- The trust domain that a cluster was given when it joined; null, as for those that joined before: CLUSTER.hawser.
ALTER TABLE members ADD COLUMN trust_domain text;

-- Bundles of trust domains outside of the federation, as their endpoints gave them. Which there are is the TrustDomain resources.
CREATE TABLE external_bundles (
  trust_domain text PRIMARY KEY,
  -- PEM certificates in force; null before the first answer that was taken.
  certificates jsonb,
  -- `spiffe_sequence`: 64 bits without a sign, so as decimal text.
  sequence text,
  refresh_seconds integer,
  fetched_at timestamptz,
  next_at timestamptz,
  -- Why the last try did not count; empty when it did.
  problem text NOT NULL DEFAULT '',
  -- SHA-256 of an answer that ends all trust in the domain, which waits to be confirmed.
  held text NOT NULL DEFAULT ''
);

-- What the hub serves on its own bundle endpoints: a sequence that rises with every change, over restarts and replicas.
CREATE TABLE served_bundles (
  trust_domain text PRIMARY KEY,
  digest text NOT NULL,
  sequence bigint NOT NULL
);
