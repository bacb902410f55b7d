// The nonces of DPoP proofs (RFC 9449 section 8): made from a secret and the time, a new one each minute.

import { randomBytes } from 'node:crypto';

import { settings } from './settings.mjs';

/** Kept here, so that a change of keys leaves the nonces as they are. */
let secret = randomBytes(32);

/** What oidc-provider wants to know. Without the setting there are no nonces at all. */
export function dpopNonces() {
  return settings.dpopNonce ? { nonceSecret: secret, requireNonce: () => true } : {};
}

/** From here on every nonce that was given out is refused with `use_dpop_nonce`. */
export function renewNonces() {
  secret = randomBytes(32);
}
