#!/usr/bin/python3
"""Computes the frozen vectors that the unit tests of crates/crypto hold, with the other implementation.

Prints a JSON object of name and hexadecimal digits. Key, salts and nonces are counters, so that anybody can write them down.
"""

import json

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import reader

VAULT = b"\x11" * 16
VAULT_KEY = bytes(range(32))
SALT, NONCE = bytes(range(0x40, 0x60)), bytes(range(0x80, 0x8C))
MATERIAL = {"passphrase": "correct horse", "keyring": "55" * 32}
COST = {"argon2_memory_kib": 65_536, "argon2_passes": 3, "argon2_lanes": 1}
NO_COST = dict.fromkeys(COST)


def sealed(key, info, context, plaintext):
    header = b"HFSE\x01\x01" + reader.key_id(key) + SALT + NONCE
    return header + AESGCM(reader.hkdf(SALT, key, info.encode())).encrypt(NONCE, plaintext, header + context)


def keyslot(method, kind):
    slot = {"id": b"\x33" * 16, "kind": kind, "salt": b"\x44" * 32, **(NO_COST if kind == "keyring" else COST)}
    key = reader.wrapping_key(slot, MATERIAL)
    slot["wrapped_key"] = sealed(
        key, "holdfast/v1/keyslots/wrapped_key", reader.slot_context(VAULT, method, slot), VAULT_KEY
    )
    assert reader.vault_key(VAULT, method, [slot], MATERIAL) == VAULT_KEY
    return slot["wrapped_key"]


def vectors():
    context = reader.row_context(VAULT, "credentials", b"\x22" * 16, "secret", 1, 7)
    return {
        "envelope": sealed(VAULT_KEY, "holdfast/v1/credentials/secret", context, b"a token"),
        "lookup id": reader.lookup_id(VAULT_KEY, "providers", "demo"),
        "keyring slot": keyslot("keyring", "keyring"),
        "passphrase slot": keyslot("passphrase", "passphrase"),
        "both slot": keyslot("both", "both"),
    }


if __name__ == "__main__":
    print(json.dumps({name: value.hex() for name, value in vectors().items()}, indent=1))
