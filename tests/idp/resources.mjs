// The APIs for which tokens are made out (RFC 8707). None of them exists; what counts is the token.

import { errors } from 'oidc-provider';

/** What can be asked for at each of them. */
export const SCOPES = ['read', 'write'];

const FORMATS = {
  'https://api.test/': { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } },
  'https://opaque.test/': { accessTokenFormat: 'opaque' },
};

/** What oidc-provider wants to know of one; `invalid_target` for any other. */
export function resourceServer(indicator) {
  if (!Object.hasOwn(FORMATS, indicator)) throw new errors.InvalidTarget();
  return { scope: SCOPES.join(' '), ...FORMATS[indicator] };
}
