-- Format 1. What stands in the clear: opaque identifiers, counters, whose credential it is, and what key
-- derivation needs. Every `overview` and `secret` is an envelope; docs/vault-format.md tells its bytes.

PRAGMA application_id = 0x48464c44; -- "HFLD"

CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    vault_id BLOB NOT NULL CHECK (length(vault_id) = 16),
    unlock_method TEXT NOT NULL CHECK (unlock_method IN ('keyring', 'passphrase', 'either', 'both'))
) STRICT;

CREATE TABLE keyslots (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind TEXT NOT NULL CHECK (kind IN ('keyring', 'passphrase', 'both')),
    salt BLOB NOT NULL CHECK (length(salt) = 32),
    argon2_memory_kib INTEGER,
    argon2_passes INTEGER,
    argon2_lanes INTEGER,
    wrapped_key BLOB NOT NULL
) STRICT;

-- The id is derived from the name under the vault key, so that the name can be found and not read.
-- The secret of a public client is an envelope around nothing.
CREATE TABLE providers (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    generation INTEGER NOT NULL,
    overview BLOB NOT NULL,
    secret BLOB NOT NULL
) STRICT;

CREATE TABLE accounts (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    generation INTEGER NOT NULL,
    overview BLOB NOT NULL
) STRICT;

CREATE TABLE credentials (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account_id BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    overview BLOB NOT NULL,
    secret BLOB NOT NULL
) STRICT;
CREATE INDEX credentials_of_account ON credentials (account_id);

-- A renewal that was begun. It has no meaning without its credential.
CREATE TABLE refresh_journal (
    credential_id BLOB NOT NULL PRIMARY KEY REFERENCES credentials (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    overview BLOB NOT NULL
) STRICT;

-- No reference to accounts: a queued revocation outlives its account.
CREATE TABLE revocations (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    generation INTEGER NOT NULL,
    overview BLOB NOT NULL,
    secret BLOB NOT NULL
) STRICT;

-- No reference to accounts: what was done stays on record.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    account_id BLOB,
    overview BLOB NOT NULL
) STRICT;
CREATE INDEX audit_of_account ON audit (account_id, seq);
