#!/usr/bin/python3
"""The keys of a vault that a passphrase opens, to look for them where they must not be.

    keys.py VAULT < PASSPHRASE > KEYS

KEYS is JSON: what each key is called, and its hexadecimal digits. Stands on reader.py.
"""

import json
import pathlib
import sqlite3
import sys

import reader


def keys(path, passphrase):
    connection = sqlite3.connect(f"{pathlib.Path(path).absolute().as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    meta = connection.execute("SELECT vault_id, unlock_method FROM meta").fetchone()
    slots = connection.execute("SELECT * FROM keyslots").fetchall()
    material = {"passphrase": passphrase}
    found = {"the vault key": reader.vault_key(meta["vault_id"], meta["unlock_method"], slots, material)}
    for slot in slots:
        if slot["kind"] == "passphrase":
            found["the stretched passphrase"] = reader.stretched(passphrase, slot["salt"], *reader.cost_of(slot))
            found["the wrapping key"] = reader.wrapping_key(slot, material)
    return {name: key.hex() for name, key in found.items()}


if __name__ == "__main__":
    json.dump(keys(sys.argv[1], sys.stdin.read().rstrip("\n")), sys.stdout)
