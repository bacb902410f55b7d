#!/usr/bin/python3
"""Another reader of a vault file, written from docs/vault-format.md and from nothing else.

It shares no line with Holdfast, so where both read the same, the document is enough. It only reads.

    reader.py VAULT < MATERIAL > RECORDS

MATERIAL is JSON, {"passphrase": "...", "keyring": "64 hexadecimal digits", "recovery": "..."}, with whatever is at hand of them.
RECORDS is JSON: every record with its opened columns, and what is wrong: records that do not open, are missing, are older than
they should be or should not be there. Exit codes: 0 all is well, 1 something is wrong, 2 the vault did not open.

Needs Debian's python3-cryptography and python3-argon2.
"""

import base64
import json
import pathlib
import sqlite3
import struct
import sys
import uuid

import argon2.low_level
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

APPLICATION_ID = 0x48464C44
KEY_BYTES = 32


class Unopened(Exception):
    """An envelope does not open."""


class Refused(Exception):
    """The vault does not open; the text says why."""


# ---- section 1: keys --------------------------------------------------------------------------------


def hkdf(salt, key_material, info):
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(key_material)


def key_id(key):
    return hkdf(b"", key, b"holdfast/v1/key-id")[:16]


def lookup_id(key, table, name):
    return hkdf(b"", key, members(b"holdfast/v1/lookup", table.encode(), name.encode()))[:16]


def stretched(passphrase, salt, memory_kib, passes, lanes):
    if not (65_536 <= memory_kib <= 262_144 and 3 <= passes <= 64 and 1 <= lanes <= 16 and memory_kib * passes <= 4_194_304):
        raise Refused(f"the cost m={memory_kib} t={passes} p={lanes} is outside the bounds")
    return argon2.low_level.hash_secret_raw(
        passphrase.encode(),
        salt,
        time_cost=passes,
        memory_cost=memory_kib,
        parallelism=lanes,
        hash_len=KEY_BYTES,
        type=argon2.low_level.Type.ID,
        version=0x13,
    )


def wrapping_key(slot, material):
    """The key of a keyslot; None where a half of it is not at hand."""
    keyring, passphrase = material.get("keyring"), material.get("passphrase")
    kind, salt = slot["kind"], slot["salt"]
    parts = b""
    if kind == "recovery":
        if not material.get("recovery"):
            return None
        parts += base64.b32decode(material["recovery"].replace("-", ""))
    if kind in ("keyring", "both"):
        if not keyring:
            return None
        parts += bytes.fromhex(keyring)
    if kind in ("passphrase", "both"):
        if not passphrase:
            return None
        parts += stretched(passphrase, salt, *cost_of(slot))
    return hkdf(salt, parts, b"holdfast/v1/keyslot/" + kind.encode())


def cost_of(slot):
    return tuple(slot[name] or 0 for name in ("argon2_memory_kib", "argon2_passes", "argon2_lanes"))


def slot_context(vault_id, method, slot):
    return members(
        b"holdfast/aad/v1/keyslot",
        vault_id,
        method.encode(),
        slot["kind"].encode(),
        slot["id"],
        slot["salt"],
        *(struct.pack(">I", number) for number in cost_of(slot)),
    )


def vault_key(vault_id, method, slots, material):
    """The vault key out of the first slot that the material opens."""
    wanted = {"either": ("keyring", "passphrase")}.get(method, (method,)) + ("recovery",)
    why = "nothing at hand opens it"
    for slot in slots:
        key = wrapping_key(slot, material) if slot["kind"] in wanted else None
        if key is None:
            continue
        try:
            context = slot_context(vault_id, method, slot)
            return opened(key, "holdfast/v1/keyslots/wrapped_key", context, slot["wrapped_key"])
        except Unopened as unopened:
            why = f"the {slot['kind']} slot: {unopened}"
    raise Refused(why)


# ---- section 2: the envelope ------------------------------------------------------------------------


def opened(key, info, context, envelope):
    if len(envelope) < 82 or envelope[:6] != b"HFSE\x01\x01":
        raise Unopened("no envelope")
    if envelope[6:22] != key_id(key):
        raise Unopened("sealed under another key")
    header, salt, nonce = envelope[:66], envelope[22:54], envelope[54:66]
    try:
        return AESGCM(hkdf(salt, key, info.encode())).decrypt(nonce, envelope[66:], header + context)
    except InvalidTag:
        raise Unopened("changed, or of another place") from None


# ---- section 3: the context -------------------------------------------------------------------------


def members(*parts):
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def row_context(vault_id, table, row, column, schema, generation):
    return members(
        b"holdfast/aad/v1/row",
        vault_id,
        table.encode(),
        row,
        column.encode(),
        struct.pack(">I", schema),
        struct.pack(">Q", generation),
    )


# ---- section 4: the tables --------------------------------------------------------------------------


class Table:
    """How the records of a table stand in the file."""

    def __init__(self, name, key, sealed, generation="generation"):
        self.name, self.key, self.sealed, self.generation = name, key, sealed, generation

    def row_id(self, row):
        # The bytes of the primary key; a number has eight.
        return struct.pack(">Q", row[self.key]) if isinstance(row[self.key], int) else row[self.key]

    def generation_of(self, row):
        return row[self.generation] if isinstance(self.generation, str) else self.generation


class Format:
    """What changes from one format to the next."""

    def __init__(self, schema, tables, has_register):
        self.schema, self.tables, self.has_register = schema, tables, has_register


BOTH = ("overview", "secret")
TABLES = (
    Table("providers", "id", BOTH),
    Table("accounts", "id", ("overview",)),
    Table("credentials", "id", BOTH),
    Table("refresh_journal", "credential_id", ("overview",)),
    Table("revocations", "id", BOTH),
    Table("audit", "seq", ("overview",), generation=1),
)
FORMATS = {
    1: Format(schema=1, tables=TABLES, has_register=False),
    2: Format(schema=1, tables=TABLES, has_register=True),
}


# ---- format 2: what the vault records of itself -----------------------------------------------------

BUCKETS = 256
REGISTERED = ("providers", "accounts", "credentials", "refresh_journal", "revocations")


class Seals:
    """The vault key and what every context begins with."""

    def __init__(self, vault_id, key, schema):
        self.vault_id, self.key, self.schema = vault_id, key, schema

    def open(self, table, row_id, column, generation, envelope):
        context = row_context(self.vault_id, table, row_id, column, self.schema, generation)
        return opened(self.key, f"holdfast/v1/{table}/{column}", context, envelope)


def record_of(seals, meta):
    record = json.loads(seals.open("meta", seals.vault_id, "overview", meta["generation"], meta["overview"]))
    if record["counter"] != meta["generation"] or len(record["buckets"]) != BUCKETS:
        raise Unopened("the record of the vault contradicts itself")
    return record


class Register:
    """Which records there have to be, and at which generation."""

    def __init__(self, seals, connection, record):
        self.entries, self.damaged = {}, []
        rows = {row["bucket"]: row for row in connection.execute("SELECT * FROM register")}
        for bucket, generation in enumerate(record["buckets"]):
            row = rows.get(bucket)
            try:
                if row is None:
                    if generation:
                        raise Unopened("missing")
                    continue
                plain = seals.open("register", bytes([bucket]), "overview", row["generation"], row["overview"])
                if row["generation"] != generation:
                    raise Unopened("of another generation")
                for table, row_id, entry in struct.iter_unpack(">B16sQ", plain):
                    self.entries[REGISTERED[table], row_id] = entry
            except Unopened as unopened:
                self.damaged.append({"table": "register", "row": f"{bucket:02x}", "why": str(unopened)})

    def judge(self, table, row_id, generation):
        registered = self.entries.pop((table, row_id), None)
        if registered is None:
            return "unknown: it had been deleted"
        return None if registered == generation else "older, or newer than it was written"

    def missing(self):
        return [{"table": table, "row": shown(row_id), "why": "missing"} for table, row_id in sorted(self.entries)]


def chain_of(log, rows):
    """What is wrong with the numbers and tags of the audit log; `rows` are number, envelope, previous tag."""
    wrong = []
    there = {seq for seq, _, _ in rows}
    wrong += [(seq, "missing") for seq in range(log["first"], log["last"] + 1) if seq not in there]
    wrong += [(seq, "unknown") for seq in there if not log["first"] <= seq <= log["last"]]
    tags = {seq: envelope[-16:].hex() for seq, envelope, _ in rows}
    for seq, _, previous in rows:
        if previous is not None and seq - 1 in tags and tags[seq - 1] != previous:
            wrong.append((seq - 1, "another line than the one that was written"))
    if rows and log["last"] in tags and tags[log["last"]] != log["tag"]:
        wrong.append((log["last"], "another line than the one that was written"))
    return [{"table": "audit", "row": struct.pack(">Q", seq).hex(), "why": why} for seq, why in wrong]


def pragma(connection, name):
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def shown(row_id):
    return str(uuid.UUID(bytes=row_id)) if len(row_id) == 16 else row_id.hex()


def misplaced(key, table, row, overview):
    """What the clear part says against the sealed one; None where they agree."""
    if table == "providers" and lookup_id(key, table, overview["name"]) != row["id"]:
        return "its id is not the one of its name"
    if table in ("credentials", "audit"):
        clear, sealed = row["account_id"], overview.get("account")
        if (shown(clear) if clear is not None else None) != sealed:
            return "it belongs to another account"
    return None


def read(path, material):
    if not pathlib.Path(path).is_file():
        raise Refused("there is no such file")
    connection = sqlite3.connect(f"{pathlib.Path(path).absolute().as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    if pragma(connection, "application_id") != APPLICATION_ID:
        raise Refused("that is no vault")
    number = pragma(connection, "user_version")
    if number not in FORMATS:
        raise Refused(f"format {number} is not known here")
    file_format = FORMATS[number]
    meta = connection.execute("SELECT * FROM meta").fetchone()
    vault_id, method = meta["vault_id"], meta["unlock_method"]
    slots = connection.execute("SELECT * FROM keyslots").fetchall()
    key = vault_key(vault_id, method, slots, material)
    seals = Seals(vault_id, key, file_format.schema)

    records, damaged, record, register = {}, [], None, None
    if file_format.has_register:
        try:
            record = record_of(seals, meta)
            register = Register(seals, connection, record)
        except Unopened as unopened:
            damaged.append({"table": "meta", "row": shown(vault_id), "why": str(unopened)})
        if record and sorted(record["keyslots"]) != sorted(slot["id"].hex() for slot in slots):
            damaged.append({"table": "keyslots", "row": "", "why": "not the keyslots that were written"})
    for table in file_format.tables:
        records[table.name] = []
        lines = []
        for row in connection.execute(f"SELECT * FROM {table.name} ORDER BY {table.key}"):
            row_id, generation = table.row_id(row), table.generation_of(row)
            opened_row = {"row": shown(row_id), "generation": generation}
            try:
                why = register.judge(table.name, row_id, generation) if register and table.name in REGISTERED else None
                for column in table.sealed:
                    value = seals.open(table.name, row_id, column, generation, row[column])
                    opened_row[column] = json.loads(value) if column == "overview" else value.decode()
                why = why or misplaced(key, table.name, row, opened_row["overview"])
                if why:
                    raise Unopened(why)
                records[table.name].append(opened_row)
            except Unopened as unopened:
                damaged.append({"table": table.name, "row": shown(row_id), "why": str(unopened)})
            if table.name == "audit":
                lines.append((row["seq"], row["overview"], opened_row.get("overview", {}).get("previous")))
        if register and table.name == "audit":
            damaged += chain_of(record["log"], lines)
    if register:
        damaged += register.damaged + register.missing()
    return {
        "format": number,
        "vault_id": shown(vault_id),
        "unlock_method": method,
        "writes": record and record["counter"],
        "records": records,
        "damaged": damaged,
    }


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        found = read(sys.argv[1], json.load(sys.stdin))
    except Refused as refused:
        print(f"reader: {refused}", file=sys.stderr)
        return 2
    json.dump(found, sys.stdout, indent=1)
    return 1 if found["damaged"] else 0


if __name__ == "__main__":
    sys.exit(main())
