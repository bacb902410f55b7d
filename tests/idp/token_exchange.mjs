// Token exchange (RFC 8693): an access token of a person becomes one for somebody else, or for another API.

import { errors } from 'oidc-provider';

import { findAccount } from './users.mjs';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** The only type that is taken and the only one that is given. */
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

const { InvalidGrant, InvalidRequest } = errors;

/**
 * Whose token the request is about, and what it may be exchanged for.
 *
 * A subject token that is not good is told as `invalid_grant`, as most servers do; section 2.2.2 would have
 * `invalid_request`. JWT access tokens are not taken: they are made out to an API, and not to its callers.
 */
export async function tokenExchange(provider, ctx) {
  const { params } = ctx.oidc;
  if (!params.subject_token) throw new InvalidRequest('subject_token is missing');
  if (params.subject_token_type !== ACCESS_TOKEN) throw new InvalidRequest('this subject_token_type is not supported');
  if ((params.requested_token_type ?? ACCESS_TOKEN) !== ACCESS_TOKEN) {
    throw new InvalidRequest('this requested_token_type is not supported');
  }
  if (params.actor_token || params.actor_token_type) throw new InvalidRequest('delegation is not supported');
  if (params.resource && params.audience) throw new InvalidRequest('resource and audience are not taken together');

  const subject = await provider.AccessToken.find(params.subject_token);
  // Who holds a bound token without its key has no right to it (RFC 9449 section 7).
  const good = subject?.isValid && !subject.isSenderConstrained();
  const grant = good && (await provider.Grant.find(subject.grantId));
  const account = grant && (await findAccount(ctx, subject.accountId));
  if (!account) throw new InvalidGrant('the subject token is not valid');
  return { account, allowed: subject.scopes, gty: 'token_exchange', more: { issued_token_type: ACCESS_TOKEN } };
}
