// The private keys with which clients of the tests sign. The server itself uses only their public halves.

import { createPrivateKey, createPublicKey } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

import { makeKeys } from './keys.mjs';
import { settings } from './settings.mjs';

/** Read from the file if there is one; a JWK Set like any other. */
function load() {
  const file = settings.clientKeyFile;
  if (file && existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')).keys;
  const keys = makeKeys();
  if (file) writeFileSync(file, `${JSON.stringify({ keys }, null, 2)}\n`, { mode: 0o600 });
  return keys;
}

const keys = load();

/** What the clients register. */
export const publicJwks = {
  keys: keys.map((jwk) => {
    const { alg, use, kid } = jwk;
    return { ...createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'jwk' }), alg, use, kid };
  }),
};

/** The private keys, for tests that are such a client: as JWK, and as PKCS#8 in PEM. */
export function clientKeys() {
  return keys.map((jwk) => ({
    alg: jwk.alg,
    kid: jwk.kid,
    jwk,
    pem: createPrivateKey({ key: jwk, format: 'jwk' }).export({ type: 'pkcs8', format: 'pem' }),
  }));
}
