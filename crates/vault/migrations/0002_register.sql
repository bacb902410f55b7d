-- Format 2. What the vault records of itself, so that records that are taken away or put back are noticed; and a
-- keyslot for a recovery code. The code that runs this fills register and overview in the same transaction.

CREATE TABLE register (
    bucket INTEGER PRIMARY KEY CHECK (bucket BETWEEN 0 AND 255),
    generation INTEGER NOT NULL,
    overview BLOB NOT NULL
) STRICT;

-- Counts the writes; the overview holds the counter again, under a seal.
ALTER TABLE meta ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN overview BLOB NOT NULL DEFAULT x'';

CREATE TABLE keyslots_2 (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind TEXT NOT NULL CHECK (kind IN ('keyring', 'passphrase', 'both', 'recovery')),
    salt BLOB NOT NULL CHECK (length(salt) = 32),
    argon2_memory_kib INTEGER,
    argon2_passes INTEGER,
    argon2_lanes INTEGER,
    wrapped_key BLOB NOT NULL
) STRICT;
INSERT INTO keyslots_2 SELECT id, kind, salt, argon2_memory_kib, argon2_passes, argon2_lanes, wrapped_key FROM keyslots;
DROP TABLE keyslots;
ALTER TABLE keyslots_2 RENAME TO keyslots;
