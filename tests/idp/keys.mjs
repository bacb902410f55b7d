// Signing keys of the server, made anew at each start.

import { generateKeyPairSync, randomUUID } from 'node:crypto';

function jwk(pair, alg) {
  return { ...pair.privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: randomUUID() };
}

/** One private key, as JWK, for each algorithm. */
export function makeKeys() {
  return [
    jwk(generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RS256'),
    jwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'ES256'),
  ];
}
