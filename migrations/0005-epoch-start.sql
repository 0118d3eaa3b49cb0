-- breaking: no
-- Where the log of the present epoch begins. A database that was restored goes on above everything that clients may have seen of the
-- writes it lost: no resourceVersion of those means anything here.

ALTER TABLE hub_meta ADD COLUMN epoch_start bigint NOT NULL DEFAULT 0 CHECK (epoch_start >= 0 AND epoch_start <= revision);
