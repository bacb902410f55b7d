// The JWT bearer grant (RFC 7523 section 2.1): who holds a registered key names the person to act for.

import { createLocalJWKSet, jwtVerify } from 'jose';
import { errors } from 'oidc-provider';

import { SCOPES } from './resources.mjs';
import { findAccount } from './users.mjs';

export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** An assertion that lives longer than an hour from its making is refused, as large providers do (in seconds). */
const LONGEST_LIFE = 3600;

const { InvalidGrant, InvalidRequest } = errors;

/** The claims of the assertion, checked as section 3 says. The client hears only `invalid_grant`. */
async function verified(ctx) {
  const { client, issuer, params } = ctx.oidc;
  try {
    const { payload } = await jwtVerify(params.assertion, createLocalJWKSet(client.jwks), {
      algorithms: ['RS256', 'ES256'],
      audience: [issuer, ctx.oidc.urlFor('token')],
      clockTolerance: 0,
      issuer: client.clientId,
      requiredClaims: ['sub', 'exp', 'iat'],
    });
    if (payload.exp - payload.iat > LONGEST_LIFE) throw new Error('the assertion lives too long');
    return payload;
  } catch (cause) {
    throw new InvalidGrant({ cause });
  }
}

/** Whom the assertion is about, and what it is good for. */
export async function jwtBearer(provider, ctx) {
  if (!ctx.oidc.params.assertion) throw new InvalidRequest('assertion is missing');
  const claims = await verified(ctx);
  const first = claims.jti === undefined || (await provider.ReplayDetection.unique(claims.iss, claims.jti, claims.exp));
  const account = first && (await findAccount(ctx, claims.sub));
  if (!account) throw new InvalidGrant(first ? 'no such person' : 'the assertion was used before');
  return { account, allowed: new Set(['openid', 'profile', 'email', ...SCOPES]), gty: 'jwt_bearer' };
}
